// Package hostile makes bundles that no builder would: of the wrong type, cut
// off, huge, deep, contradictory, with links where directories should be, and
// with names and numbers that mean nothing. A machine has to boot with them.
package hostile

import (
	"fmt"
	"strings"
)

// JSON is a decoded JSON object.
type JSON = map[string]any

// Kind of an entry that is put into a bundle's directory.
type Kind string

// The kinds.
const (
	File      Kind = "file"
	Directory Kind = "directory"
	FIFO      Kind = "FIFO"
	Socket    Kind = "socket"
	Link      Kind = "link"
	Missing   Kind = "missing" // whatever is there goes
)

// Entry replaces what the bundle has at a path.
type Entry struct {
	Kind Kind
	Text string // of a file, target of a link
}

// Bundle is a sound bundle on its way to be spoiled.
type Bundle struct {
	Config, Runtime JSON
	Entries         map[string]Entry // by path in the bundle's directory
	// Name replaces the bundle's.
	Name string
}

// Variant is one way to spoil a bundle.
type Variant struct {
	Name  string
	Spoil func(*Bundle)
}

// Variants lists all, the same in each call.
func Variants() []Variant {
	var all []Variant
	all = append(all, entries()...)
	all = append(all, values()...)
	all = append(all, lists()...)
	return append(all, names()...)
}

// entries puts things of another kind in the place of files and directories.
func entries() (all []Variant) {
	deep := strings.Repeat(`{"a":[`, 50000)
	files := []Entry{
		{Missing, ""}, {File, ""}, {File, `{"ociVersion": "1.0.2", "process": {"args": ["/bi`}, {Directory, ""},
		{FIFO, ""}, {Socket, ""}, {Link, "config.json"}, {Link, "loop"}, {Link, "/"}, {Link, "/proc/self/mem"}, {Link, "/dev/zero"},
		{File, "\xff\xfe{\x00}\x00"}, {File, strings.Repeat("\x00", 4096)}, {File, "null"}, {File, "[]"}, {File, `"text"`}, {File, "7"},
		{File, `{} {}`}, {File, strings.Repeat(" ", 10<<20)}, {File, `{"mounts":` + deep}, {File, deep},
	}
	for _, file := range []string{"config.json", "runtime.json"} {
		for i, e := range files {
			all = append(all, put(fmt.Sprintf("%s is %s %d", file, e.Kind, i), file, e))
		}
	}
	for _, dir := range []string{"rootfs", "lower", "tmp"} {
		for i, e := range []Entry{{Missing, ""}, {File, "text"}, {FIFO, ""}, {Link, dir}, {Link, "/"}, {Link, "/etc"}, {Link, "../../.."}} {
			all = append(all, put(fmt.Sprintf("%s is %s %d", dir, e.Kind, i), dir, e))
		}
	}
	return all
}

func put(name, file string, e Entry) Variant {
	return Variant{name, func(b *Bundle) { b.Entries[file] = e }}
}

// values puts wrong values at many places of config.json and runtime.json.
func values() (all []Variant) {
	long := strings.Repeat("x", 70000)
	wrong := map[string][]any{
		"process.args":                        {nil, []any{}, []any{""}, []any{"/bin/none\x00such"}, []any{"/bin/none\nsuch\x1b[2J"}, []any{"/"}, []any{long}, "text", many(70000)},
		"process.cwd":                         {nil, "", "relative", "/none", "/proc/self/fd/7", "/bin/true", "/a\x00b", "/" + long},
		"process.env":                         {nil, []any{"="}, []any{"A=\x00"}, []any{"PATH=\n"}, many(10000)},
		"process.user":                        {nil, JSON{"uid": -1}, JSON{"uid": 4294967295}, JSON{"uid": 1e30}, JSON{"gid": 4294967296}, JSON{"additionalGids": []any{-5}}, JSON{"umask": 1 << 20}},
		"process.rlimits":                     {[]any{nil}, []any{JSON{"type": "RLIMIT_NONE", "soft": 1, "hard": 1}}, []any{JSON{"type": "RLIMIT_NOFILE", "soft": 0, "hard": 0}}, []any{JSON{"type": "RLIMIT_NOFILE", "soft": 18446744073709551615.0, "hard": -1}}, []any{JSON{"type": "RLIMIT_AS", "soft": 4096, "hard": 4096}}, []any{JSON{"type": "RLIMIT_NPROC", "soft": 0, "hard": 0}}},
		"process.oomScoreAdj":                 {-5000, 5000, "text"},
		"process.capabilities":                {JSON{"bounding": []any{"CAP_NONE"}}, JSON{"effective": []any{""}}, []any{}},
		"process.apparmorProfile":             {"none\nsuch"},
		"process.selinuxLabel":                {"a:b:c\x00"},
		"process.terminal":                    {true},
		"process.consoleSize":                 {JSON{"height": -1, "width": 1 << 40}},
		"root":                                {nil, JSON{"path": ""}, JSON{"path": "/none"}, JSON{"path": "../../.."}, JSON{"path": "rootfs\x00x"}, JSON{"path": 7}},
		"hostname":                            {long, "a\nb", "\x00", 7},
		"domainname":                          {long, "a\x00b"},
		"ociVersion":                          {nil, "", "99.0.0", "1.0\n"},
		"mounts":                              {nil, []any{nil}, []any{JSON{"destination": ""}}, many(3000)},
		"hooks":                               {JSON{"prestart": []any{JSON{"path": "/none/such"}}}, JSON{"createRuntime": []any{JSON{"path": "relative"}}}, JSON{"poststop": []any{JSON{"path": "/bin/none", "timeout": -1}}}, JSON{"poststart": []any{JSON{"path": "/bin/a\x00b"}}}, JSON{"startContainer": []any{JSON{"path": "/bin/none"}}}},
		"linux.namespaces":                    {nil, []any{}, []any{JSON{"type": "none"}}, []any{JSON{"type": "pid"}, JSON{"type": "pid"}}, []any{JSON{"type": "mount", "path": "/proc/1/ns/net"}}, []any{JSON{"type": "network", "path": "/none"}, JSON{"type": "mount"}}, []any{JSON{"type": "user"}, JSON{"type": "mount"}}},
		"linux.uidMappings":                   {[]any{JSON{"containerID": 0, "hostID": 0, "size": 4294967295}}, []any{JSON{"containerID": -1}}},
		"linux.cgroupsPath":                   {"", "/", "..", ".", "//", "/..", "a/../..", "/a\nb", "\x00", long, "system.slice:x:y", "/" + strings.Repeat("d", 300)},
		"linux.resources":                     {nil, JSON{"pids": JSON{"limit": -5}}, JSON{"pids": JSON{"limit": 0}}, JSON{"memory": JSON{"limit": 1}}, JSON{"memory": JSON{"limit": -2}}, JSON{"cpu": JSON{"shares": 1}}, JSON{"cpu": JSON{"cpus": "99-1"}}, JSON{"devices": []any{JSON{"allow": true, "type": "x", "access": "q"}}}, JSON{"unified": JSON{"../../cgroup.procs": "1"}}, JSON{"unified": JSON{"none.such": "x\ny"}}},
		"linux.sysctl":                        {JSON{"kernel.panic": "1"}, JSON{"../../x": "1"}, JSON{"net.none": "a\nb"}, JSON{"": ""}},
		"linux.rootfsPropagation":             {"none", "shared\n", "rshared,rslave"},
		"linux.seccomp":                       {JSON{"defaultAction": "SCMP_ACT_NONE"}, JSON{"defaultAction": "SCMP_ACT_KILL"}, JSON{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": []any{JSON{"names": []any{"execve"}, "action": "SCMP_ACT_NOTIFY"}}}},
		"linux.maskedPaths":                   {[]any{"relative"}, []any{"/bin/busybox"}, []any{"/\x00"}},
		"linux.readonlyPaths":                 {[]any{"../.."}, []any{"/"}},
		"linux.devices":                       {[]any{JSON{"path": "../../dev/x", "type": "c", "major": -1, "minor": 1 << 40}}, []any{JSON{"path": "/dev/null", "type": "q"}}, []any{JSON{"path": "", "type": "b"}}},
		"linux":                               {nil, "text", []any{}},
		"process":                             {nil, "text", JSON{}},
		"annotations":                         {nil, JSON{"slipway.none": "1"}, JSON{"slipway.restart": ""}, JSON{"slipway.restart-delay": "-1s"}, JSON{"slipway.stop-signal": "SIGNONE"}, JSON{"slipway.stop-timeout": "9999999h"}, JSON{"slipway.after": "a\nb"}, JSON{"slipway.requires": "none such"}, JSON{"slipway.ready": "tcp:99999"}, JSON{"slipway.ready": "exec:"}, JSON{"slipway.upper": "disk:"}, JSON{"slipway.upper": "tmpfs:-1"}, JSON{"slipway.log": "\x1b]0;x\x07"}, JSON{"slipway.log-max-size": "1e9"}, JSON{"slipway.log-max-files": "-3"}, JSON{"k\ney": long}, JSON{"slipway.restart": 7}},
		"runtime:mounts":                      {nil, "text", []any{nil}, []any{JSON{"destination": ""}}, []any{JSON{"destination": "a\x00b", "type": "tmpfs", "source": "tmpfs"}}, []any{JSON{"destination": "var", "type": "none"}}, []any{JSON{"destination": "var", "type": "tmpfs", "source": "tmpfs", "options": []any{"size=x", ",,", "upperdir=/"}}}, []any{JSON{"destination": "/../../x", "source": "/none", "options": []any{"bind"}}}, []any{JSON{"destination": "bin/busybox", "type": "tmpfs", "source": "tmpfs"}}},
		"runtime:mkdir":                       {nil, 7, []any{""}, []any{"a\x00b"}, []any{"../../../x"}, []any{"bin/busybox/x"}, []any{strings.Repeat("d/", 3000)}, []any{long}},
		"runtime:cgroups":                     {nil, []any{""}, []any{"../../x"}, []any{"/"}, []any{"a\nb"}, []any{long}},
		"runtime:interfaces":                  {nil, []any{JSON{}}, []any{JSON{"name": "lo"}}, []any{JSON{"name": strings.Repeat("n", 40)}}, []any{JSON{"name": "a/b", "add": "dummy"}}, []any{JSON{"name": "v0", "peer": "v0"}}, []any{JSON{"name": "x0", "add": "none"}}, []any{JSON{"name": "", "add": "bridge"}}},
		"runtime:bindNS":                      {nil, "text", JSON{"net": ""}, JSON{"net": "relative"}, JSON{"mnt": "/proc/none/x"}, JSON{"net": "/dev/null/x"}, JSON{"uts": "/a\x00b"}},
		"runtime:namespace":                   {7, "\n"},
		"none\nsuch":                          {1},
		"runtime:\x1b[31mred":                 {1},
		"process." + strings.Repeat("k", 999): {JSON{}},
	}
	for _, at := range keys(wrong) {
		for i, v := range wrong[at] {
			all = append(all, Variant{fmt.Sprintf("%.30q value %d", at, i), func(b *Bundle) { set(b, at, v) }})
		}
	}
	return all
}

// lists spoils more than a value.
func lists() []Variant {
	mount := func(options ...any) func(*Bundle) {
		return func(b *Bundle) {
			list, _ := b.Config["mounts"].([]any)
			b.Config["mounts"] = append(list, JSON{"destination": "/mnt", "type": "tmpfs", "source": "tmpfs", "options": options})
		}
	}
	return []Variant{
		{"mount with a comma in its options", mount("size=1m,upperdir=/")},
		{"mount with contradicting options", mount("ro", "rw", "bind", "remount", "rshared", "private")},
		{"mount with an unknown propagation", mount("rsharedd")},
		{"mount with a line break", mount("size=1m\nx")},
		{"mount of a negative size", mount("size=-1")},
		{"duplicate keys", func(b *Bundle) {
			b.Entries["config.json"] = Entry{File, `{"ociVersion":"1.0.2","process":{"args":["/bin/a"]},"process":{"args":[]},"root":{"path":"rootfs"},"Root":{"path":"/"}}`}
		}},
		{"program is a directory", func(b *Bundle) { set(b, "process.args", []any{"/etc"}) }},
		{"program that is in no image", func(b *Bundle) { set(b, "process.args", []any{"/bin/no-such-program"}) }},
		{"path over a file", func(b *Bundle) { set(b, "process.args", []any{"/bin/true/x"}) }},
	}
}

// names are what a bundle's directory may be called by somebody who wants harm.
func names() (all []Variant) {
	for _, name := range []string{"-x", "--help", "a\nb", "a b", "\x1b[2J", "..x", "ünï", "a;reboot", "$(x)", "%s%n", "%2e%2e", "a\tb", "\xff\xfe", "CON", strings.Repeat("n", 255), strings.Repeat("m", 100)} {
		all = append(all, Variant{fmt.Sprintf("called %.20q", name), func(b *Bundle) { b.Name = name }})
	}
	return all
}

func many(n int) []any {
	all := make([]any, n)
	for i := range all {
		all[i] = "x"
	}
	return all
}
