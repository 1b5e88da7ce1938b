package mount

import (
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// option is a word of mount(8) that is a flag of mount(2).
type option struct {
	name  string
	flag  uintptr
	clear bool // the word takes the flag away
}

// options are all words that are no data. In printing the first name of a flag
// that is set is used.
var options = []option{
	{"remount", unix.MS_REMOUNT, false},
	{"bind", unix.MS_BIND, false},
	{"rbind", unix.MS_BIND | unix.MS_REC, false},
	{"ro", unix.MS_RDONLY, false},
	{"rw", unix.MS_RDONLY, true},
	{"nosuid", unix.MS_NOSUID, false},
	{"suid", unix.MS_NOSUID, true},
	{"nodev", unix.MS_NODEV, false},
	{"dev", unix.MS_NODEV, true},
	{"noexec", unix.MS_NOEXEC, false},
	{"exec", unix.MS_NOEXEC, true},
	{"sync", unix.MS_SYNCHRONOUS, false},
	{"async", unix.MS_SYNCHRONOUS, true},
	{"dirsync", unix.MS_DIRSYNC, false},
	{"mand", unix.MS_MANDLOCK, false},
	{"nomand", unix.MS_MANDLOCK, true},
	{"noatime", unix.MS_NOATIME, false},
	{"atime", unix.MS_NOATIME, true},
	{"nodiratime", unix.MS_NODIRATIME, false},
	{"diratime", unix.MS_NODIRATIME, true},
	{"relatime", unix.MS_RELATIME, false},
	{"norelatime", unix.MS_RELATIME, true},
	{"strictatime", unix.MS_STRICTATIME, false},
	{"nostrictatime", unix.MS_STRICTATIME, true},
}

// propagations are the words that say who sees later mounts. mount(2) obeys
// such a flag only in a call of its own.
var propagations = []option{
	{"shared", unix.MS_SHARED, false},
	{"rshared", unix.MS_SHARED | unix.MS_REC, false},
	{"slave", unix.MS_SLAVE, false},
	{"rslave", unix.MS_SLAVE | unix.MS_REC, false},
	{"private", unix.MS_PRIVATE, false},
	{"rprivate", unix.MS_PRIVATE | unix.MS_REC, false},
	{"unbindable", unix.MS_UNBINDABLE, false},
	{"runbindable", unix.MS_UNBINDABLE | unix.MS_REC, false},
}

// perMount are the flags that belong to one mount rather than to its
// filesystem, so that a bind mount can have its own.
const perMount = unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC |
	unix.MS_NOATIME | unix.MS_NODIRATIME | unix.MS_RELATIME | unix.MS_STRICTATIME

// parsed is what a list of options asks for.
type parsed struct {
	flags       uintptr
	propagation []uintptr
	data        []string
}

func parseOptions(words []string) parsed {
	var p parsed
	for _, word := range words {
		if o, ok := find(options, word); ok {
			if o.clear {
				p.flags &^= o.flag
			} else {
				p.flags |= o.flag
			}
			continue
		}
		if o, ok := find(propagations, word); ok {
			p.propagation = append(p.propagation, o.flag)
			continue
		}
		// "defaults" asks for nothing; handed on, a filesystem would refuse it.
		if word != "" && word != "defaults" {
			p.data = append(p.data, word)
		}
	}
	return p
}

func find(in []option, word string) (option, bool) {
	for _, o := range in {
		if o.name == word {
			return o, true
		}
	}
	return option{}, false
}

// Expand turns an entry of runtime.json into the calls that do what it says.
// LinuxKit makes one call of each entry; the kernel then silently leaves out
//   - propagation beside anything else: "remount,private" stays shared, and a
//     tmpfs with "private" is not mounted at all;
//   - flags beside "bind": "bind,ro" can be written to. With rbind they are
//     set on the topmost mount alone, as mount(8) does.
func Expand(m specs.Mount) []Mount {
	p := parseOptions(m.Options)
	if m.Type == "bind" && p.flags&unix.MS_REMOUNT == 0 {
		p.flags |= unix.MS_BIND
	}
	base := Mount{Source: m.Source, Target: m.Destination, Type: m.Type, Flags: p.flags, Data: p.data}
	var calls []Mount
	switch {
	case p.flags&unix.MS_BIND != 0 && p.flags&unix.MS_REMOUNT == 0:
		calls = bindCalls(base)
	case m.Source == "" && m.Type == "" && p.flags&^unix.MS_REMOUNT == 0 && len(p.data) == 0 && len(p.propagation) > 0:
		// Nothing but propagation is wanted; a remount with no flags would
		// take away those that the mount has.
	default:
		calls = append(calls, base)
	}
	for _, flag := range p.propagation {
		calls = append(calls, Mount{Target: m.Destination, Flags: flag})
	}
	return calls
}

func bindCalls(m Mount) []Mount {
	bind := Mount{Source: m.Source, Target: m.Target, Flags: m.Flags & (unix.MS_BIND | unix.MS_REC)}
	own := m.Flags & perMount
	if own == 0 {
		return []Mount{bind}
	}
	return []Mount{bind, {Target: m.Target, Flags: unix.MS_REMOUNT | unix.MS_BIND | own}}
}

// IsNew tells whether the call adds a mount, rather than change one.
func (m Mount) IsNew() bool {
	return m.Flags&unix.MS_REMOUNT == 0 && propagationVerb(m.Flags) == ""
}

func propagationVerb(flags uintptr) string {
	for _, o := range propagations {
		if flags == o.flag {
			return o.name
		}
	}
	return ""
}

func (m Mount) flagNames() []string {
	var names []string
	left := m.Flags &^ unix.MS_REC
	if m.Flags&unix.MS_REMOUNT == 0 {
		left &^= unix.MS_BIND // the line says --bind
	}
	for _, o := range options {
		if !o.clear && !strings.HasPrefix(o.name, "rbind") && left&o.flag != 0 {
			names = append(names, o.name)
			left &^= o.flag
		}
	}
	return names
}
