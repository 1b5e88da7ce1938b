package build

import (
	"archive/tar"
	"bytes"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"slipway/pkg/build/oci"
	"slipway/pkg/build/spec"
	"slipway/pkg/build/yml"
)

// checkText gives the faults of a text: with no finder, those of the text alone.
func checkText(t *testing.T, finder Finder, text string) yml.Faults {
	t.Helper()
	file := filepath.Join(t.TempDir(), "m.yml")
	writeText(t, file, text)
	return checkFile(t, finder, file)
}

func checkFile(t *testing.T, finder Finder, file string) yml.Faults {
	t.Helper()
	b := &Builder{Finder: finder, Platform: v1.Platform{OS: "linux", Architecture: "amd64"}, Hardening: spec.HardeningDefault}
	faults, err := b.CheckFiles(t.Context(), []string{file}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return faults
}

// textFaults are faults that need no image to be found: a service's keys, and
// what is said of them.
var textFaults = []struct{ service, want string }{
	{`annotations: {slipway.restrt: always}`, `did you mean "slipway.restart"?`},
	{`annotations: {slipway.restart: sometimes}`, `slipway.restart "sometimes"`},
	{`annotations: {slipway.timeout: 3s}`, `has no meaning in services`},
	{`annotations: {slipway.upper: "tmpfs:1q"}`, `slipway.upper "tmpfs:1q"`},
	{`annotations: {slipway.upper: "tmpfs:1m"}, readonly: true`, `no writable layer`},
	{`annotations: {slipway.after: b}`, `no service is named "b"`},
	{`annotations: {slipway.requires: "x, c"}`, `no service is named "c"`},
	{`annotations: {slipway.after: x}`, `waits for itself`},
	{`annotations: {slipway.seccomp: ./nowhere.json}`, `no such file`},
	{`binds: ["/etc"]`, `bind "/etc"`},
	{`binds: ["/etc:etc"]`, `the target "etc" is not absolute`},
	{`binds: ["/etc:/etc:or"]`, `no option "or"; want options such as ro`},
	{`binds: ["/etc:/etc:ro,rshraed"]`, `did you mean "rshared"?`},
	{`binds: ["/etc:/etc:size=1m"]`, `no option "size=1m"`},
	{`binds: ["/etc:/etc:ro:rw"]`, `bind "/etc:/etc:ro:rw"`},
	{`binds: ["data:/data"]`, `no volume is named "data"`},
	{`binds.add: ["dta:/data"]`, `no volume is named "dta"`},
	{`mounts: [{type: bind, source: /a, destination: b}]`, `the target "b" is not absolute`},
	{`mounts: [{type: bind, source: vlo, destination: /b}]`, `no volume is named "vlo"`},
	{`mounts: [{destination: /b}]`, `has no type`},
	{`tmpfs: ["/tmp:size=10x"]`, `tmpfs option "size=10x"`},
	{`tmpfs: ["/tmp:sized=10m"]`, `did you mean "size"?`},
	{`tmpfs: ["/tmp:mode=rwx"]`, `permission bits in octal`},
	{`tmpfs: ["/tmp:uid=web"]`, `knows no names`},
	{`tmpfs: ["tmp"]`, `the target "tmp" is not absolute`},
	{`mounts: [{type: tmpfs, destination: /t, options: [nr_inodes=many]}]`, `nr_inodes=many`},
	{`runtime: {mounts: [{type: tmpfs, destination: /run/t, options: ["size=1 m"]}]}`, `size=1 m`},
	{`uid: nobody`, `no container is named "nobody"`},
	{`additionalGids: [1, wheel]`, `no container is named "wheel"`},
	{`capabilities: [NET_ADMIN]`, `did you mean "CAP_NET_ADMIN"?`},
	{`capabilities.add: [CAP_FLY]`, `no capability is named "CAP_FLY"`},
	{`ambient: [all, CAP_KILL]`, `want "all" to stand alone`},
	{`rlimits: ["nofile:1:2"]`, `limit "nofile:1:2"`},
	{`rlimits: ["nofiles,1,2"]`, `did you mean "NOFILE"?`},
	{`rlimits: ["nofile,2,1"]`, `the soft limit is above the hard one`},
	{`devices: [{path: /dev/x, type: c, major: 1, minor: 3, mode: rw}]`, `mode "rw" of device /dev/x`},
	{`devices: [{path: /dev/x, type: c, major: 1, minor: 3}]`, `has no mode`},
	{`cgroupsPath: /a/../../x`, `leads upwards`},
	{`env: [PATH]`, `want NAME=VALUE`},
	{`env: [A=b, =c]`, `want NAME=VALUE`},
	{`env: [A=b], command: [app]`, `services[0].env: no PATH in env, so program "app"`},
	{`env: [PATH=], command: [app, -x]`, `no PATH in env, so program "app"`},
	{`env: [], command: [app]`, `services[0].env: no PATH in env`},
	{`env: [], command: [/bin/app], annotations: {slipway.health: "exec:app --check"}`, `program "app" of slipway.health`},
	{`oomScoreAdj: 2000`, `want -1000 to 1000`},
	{`cwd: srv`, `an absolute path`},
	{`hostname: h, uts: host`, `want uts: new beside it`},
	{`net: nwe`, `did you mean "new"?`},
	{`net: host, sysctl: {net.ipv4.ip_forward: "1"}`, `want net: new beside it`},
	{`sysctl: {vm.swappiness: "1"}`, `belongs to the whole machine`},
	{`runtime: {interfaces: [{name: a, add: veth}]}`, `a veth without its other end`},
	{`annotations: {slipway.ready: "tcp:80"}, capabilities: [CAP_KILL]`, `may not listen on port 80`},
	{`binds: ["/etc:/a", "/run:/a"]`, `services[0].binds[1]: a mount on /a again, first in services[0].binds[0]`},
	{`binds: ["/etc:/a"], mounts: [{type: tmpfs, destination: /a/}]`, `mounts[0]: a mount on /a again, first in services[0].binds[0]`},
	{`tmpfs: [/t, "/t/../t:size=1m"]`, `tmpfs[1]: a mount on /t again`},
	{`runtime: {mounts: [{type: tmpfs, source: t, destination: /run/t}, {type: tmpfs, source: t, destination: /run/t}]}`, `runtime.mounts[1]: a mount before the container on /run/t again`},
	{`devices: [{path: /dev/x, type: c, major: 1, minor: 3, mode: "0666"}, {path: /dev//x, type: p, mode: "0666"}]`, `device /dev/x again, first in services[0].devices[0]`},
	{`env: [PATH=/bin, A=1, A=2]`, `env[2]: variable A again`},
	{`rlimits: ["nofile,1,2", "RLIMIT_NOFILE,1,2"]`, `rlimits[1]: limit NOFILE again`},
	{`net: new, runtime: {interfaces: [{name: a, add: dummy}, {name: a, add: dummy}]}`, `runtime.interfaces[1]: interface a again`},
	{`rlimits: ["nofile,1024,unlimited"]`, `want 1048576 at most`},
	{`rlimits: ["nofile,1,2", "NOFILE, 2097152, 2097152"]`, `rlimits[1]: "NOFILE, 2097152, 2097152": more open files`},
	{`uts: new, hostname: ` + strings.Repeat("h", 65), `want at most 64 bytes`},
	{`uts: new, hostname: "my host"`, `with no white space`},
	{`uts: new, sysctl: {kernel.domainname: ` + strings.Repeat("d", 65) + `}`, `a domain name of 65 bytes`},
	{`devices: [{path: /dev/x, type: c, major: -1, minor: 3, mode: "0666"}]`, `devices[0].major: the number -1; want 0 to 4095`},
	{`devices: [{path: /dev/x, type: b, major: 8, minor: 9999999999, mode: "0666"}]`, `devices[0].minor: the number 9999999999; want 0 to 1048575`},
	{`devices: [{path: dev/x, type: c, major: 1, minor: 3, mode: "0666"}]`, `devices[0].path: "dev/x"; want an absolute path, or "all"`},
	{`devices: [{path: x, type: p, mode: "0666"}]`, `devices[0].path: "x"`},
	{`devices: [{path: /dev/x, type: a, mode: "0666"}]`, `no node is of type a`},
	{`resources: {cpu: {cpus: a}}`, `resources.cpu.cpus: "a"; want numbers and ranges`},
	{`resources: {cpu: {cpus: "0-1,3-2"}}`, `cpus: "0-1,3-2"`},
	{`resources: {cpu: {mems: "0,"}}`, `resources.cpu.mems: "0,"`},
	{`resources: {cpu: {quota: 5}}`, `resources.cpu.quota: the number 5; want 1000 or more`},
	{`resources: {cpu: {period: 5}}`, `resources.cpu.period: the number 5`},
	{`resources: {cpu: {shares: -1}}`, `resources.cpu.shares: the number -1; want 0 or more`},
	{`resources: {memory: {limit: -5}}`, `resources.memory.limit: the number -5; want 0 or more, or -1`},
	{`resources: {memory: {swappiness: 300}}`, `want 0 to 100`},
	{`resources: {pids: {limit: -2}}`, `resources.pids.limit: the number -2`},
	{`resources: {devices: [{allow: true, type: z}]}`, `resources.devices[0].type: "z"`},
	{`resources: {devices: [{allow: true, access: rx}]}`, `access: "rx"; want letters of rwm`},
	{`resources: {devices: [{allow: true, type: c, major: 5000}]}`, `major: the number 5000`},
	{`resources: {hugepageLimits: [{pageSize: 3, limit: 1}]}`, `pageSize: the number 3`},
	{`resources: {blockio: {weight: 5000}}`, `resources.blockio.weight: the number 5000; want 10 to 1000`},
	{`resources: {network: {classID: -1}}`, `classID: the number -1`},
	{`uidMappings: [{containerID: -1, hostID: 0, size: 1}]`, `uidMappings[0].containerID: the number -1; want 0 to 4294967295`},
	{`gidMappings: [{containerID: 0, hostID: 0, size: 4294967296}]`, `gidMappings[0].size: the number 4294967296`},
	{`uid: 4294967295`, `services[0].uid: the number 4294967295`},
	{`gid: 0xFFFFFFFF`, `no user or group`},
	{`additionalGids: [1, 4294967295]`, `additionalGids[1]`},
	{`uid: 4294967296`, `services[0].uid: the number 4294967296`},
	{`maskedPaths: [etc]`, `maskedPaths[0]: "etc"; want an absolute path`},
	{`readonlyPaths: [/a, b]`, `readonlyPaths[1]: "b"`},
	{`runtime: {bindNS: {net: run/netns/x}}`, `runtime.bindNS.net: "run/netns/x"`},
	{`runtime: {mkdir: [/a, ""]}`, `runtime.mkdir[1]: ""`},
	{`net: new, runtime: {interfaces: [{name: a-name-that-is-long, add: dummy}]}`, `interfaces[0].name: "a-name-that-is-long"; want 1 to 15 bytes`},
	{`net: new, runtime: {interfaces: [{name: a, add: veth, peer: "b/c"}]}`, `interfaces[0].peer: "b/c"`},
	{`command: []`, `no command`},
	{`binds: ["/:/"]`, `services[0].binds[0]: a mount on the container's whole root`},
	{`tmpfs: ["/x/..:size=1m"]`, `services[0].tmpfs[0]: a mount on the container's whole root`},
	{`binds: ["/var:/proc"]`, `a mount on /proc, which the OCI runtime refuses`},
	{`mounts: [{type: bind, source: /etc/hosts, destination: /proc/version}]`, `services[0].mounts[0]: a mount on /proc/version, which`},
	{`annotations: {Slipway.Restart: always}`, `did you mean "slipway.restart"?`},
	{`annotations: {org.slipway.restart: always}`, `did you mean "slipway.restart"?`},
	{`annotations: {slipway/after: x}`, `did you mean "slipway.after"?`},
	{`command: ["", x]`, `a command with no program`},
	{`pid: none`, `services[0].pid: "none"; want host, new or an absolute path`},
	{`ipc: None`, `services[0].ipc: "None"; want host, new or an absolute path`},
	{`net: None`, `did you mean "none"?`},
	{`userns: hots`, `did you mean "host"?`},
}

// TestTextFaults finds without images what can be found without them, and finds
// the same if the images are there.
func TestTextFaults(t *testing.T) {
	store := fixtures(t)
	for _, c := range textFaults {
		text := "init: [\"test/init:1\"]\nservices:\n  - {name: x, image: \"test/app:1\", " + c.service + "}\n"
		alone := checkText(t, nil, text)
		if !said(alone, c.want) {
			t.Errorf("%s: without images:\n%v", c.service, alone)
		}
		if all := checkText(t, only{store}, text); !said(all, c.want) {
			t.Errorf("%s: with images:\n%v", c.service, all)
		}
	}
}

func said(faults yml.Faults, words string) bool {
	return slices.ContainsFunc(faults, func(f yml.Fault) bool {
		return f.Line > 0 && strings.Contains(strings.SplitN(f.String(), "\n", 2)[0], words)
	})
}

// TestTextFaultsOfOthers are those of more than one container.
func TestTextFaultsOfOthers(t *testing.T) {
	for text, want := range map[string]string{
		"services:\n  - {name: a, image: i, annotations: {slipway.after: b}}\n  - {name: b, image: i, annotations: {slipway.requires: a}}\n":                                          "wait for each other: a waits for b waits for a",
		"onboot:\n  - {name: a, image: i}\nservices:\n  - {name: b, image: i, annotations: {slipway.after: a}}\n":                                                                     `"a" is no service`,
		"services:\n  - {name: a, image: i, cgroupsPath: /p}\n  - {name: b, image: i, cgroupsPath: /p/q}\n":                                                                           "what ends one kills the other",
		"services:\n  - {name: a, image: i, net: host, annotations: {slipway.ready: \"tcp:8080\"}}\n  - {name: b, image: i, net: host, annotations: {slipway.ready: \"tcp:8080\"}}\n": "port 8080 of the same network",
		"onboot:\n  - {name: a, image: i, net: /run/netns/wq}\nservices: []\n":                                                                                                        "no container keeps a namespace on /run/netns/wq",
		"onboot:\n  - {name: a, image: i, net: new, runtime: {bindNS: {net: /run/netns/wg}}}\nservices:\n  - {name: b, image: i, net: /run/netns/wq}\n":                               `did you mean "/run/netns/wg"?`,
		"files:\n  - {path: /etc/x, contents: x, uid: nobody}\n":                                                                                                                      `no container is named "nobody"`,
		"files:\n  - {path: boot/kernel, contents: x}\n":                                                                                                                              "what lies in /boot is left out of the machine",
		"files:\n  - {path: /containers/onboot/000-a/config.json, contents: x}\n":                                                                                                     "/containers is where the containers lie",
		"files:\n  - {path: /run/x, contents: x}\n":                                                                                                                                   "hides /run/x",
		"volumes:\n  - {name: v, readonly: true}\nservices:\n  - {name: a, image: i, binds: [\"v:/v\"]}\n":                                                                            `volume "v" is read-only`,
		"volumes:\n  - {name: v, image: i, format: oci, platforms: [windows/amd64]}\n":                                                                                                `platform "windows/amd64"`,
	} {
		if faults := checkText(t, nil, text); !said(faults, want) {
			t.Errorf("%s: want %q, got\n%v", text, want, faults)
		}
	}
}

// TestVolumesThatNobodySees are told, and those alone.
func TestVolumesThatNobodySees(t *testing.T) {
	const head, want = "init: [\"test/init:1\"]\nvolumes: [{name: v}]\n", `no container binds the volume "v"`
	store := fixtures(t)
	for text, unused := range map[string]bool{
		"": true,
		"services: [{name: a, image: \"test/app:1\"}]\n":                                                                                                       true,
		"services: [{name: a, image: \"test/app:1\", binds: [\"/containers/volumes/w:/v\"]}]\n":                                                                true,
		"services: [{name: a, image: \"test/app:1\", tmpfs: [\"/containers/volumes/v\"]}]\n":                                                                   true,
		"services: [{name: a, image: \"test/app:1\", binds: [\"v:/v\"]}]\n":                                                                                    false,
		"onboot: [{name: a, image: \"test/app:1\", binds.add: [\"v:/v\"]}]\n":                                                                                  false,
		"onshutdown: [{name: a, image: \"test/app:1\", mounts: [{type: bind, source: v, destination: /v}]}]\n":                                                 false,
		"services: [{name: a, image: \"test/app:1\", binds: [\"/containers/volumes/v/merged/x:/v\"]}]\n":                                                       false,
		"services: [{name: a, image: \"test/app:1\", binds: [\"/containers:/c\"]}]\n":                                                                          false,
		"services: [{name: a, image: \"test/app:1\", runtime: {mounts: [{type: bind, source: /containers/volumes/v, destination: /run/v}]}}]\n":                false,
		"services: [{name: a, image: \"test/app:1\", mounts: [{type: overlay, destination: /o, options: [\"lowerdir=/containers/volumes/v/lower:/etc\"]}]}]\n": false,
	} {
		if faults := checkText(t, only{store}, head+text); said(faults, want) != unused {
			t.Errorf("%s: unused %v, got\n%v", text, unused, faults)
		}
	}
	if faults := checkText(t, nil, head+"services: [{name: a, image: \"test/app:1\"}]\n"); said(faults, want) {
		t.Errorf("an image that was not read may bind it: %v", faults)
	}
}

// TestTextAlone says nothing of what an image's label may make right.
func TestTextAlone(t *testing.T) {
	faults := checkText(t, nil, `init: ["test/init:1"]
onboot:
  - {name: wg, image: "test/label:1"}
services:
  - {name: a, image: "test/app:1", hostname: h, uidMappings: [{containerID: 0, hostID: 1, size: 2}], sysctl: {net.ipv4.ip_forward: "1", kernel.domainname: d}}
  - {name: b, image: "test/app:1", userns: new, annotations: {slipway.ready: "tcp:80"}, runtime: {interfaces: [{name: eth1}]}}
  - {name: c, image: "test/app:1", net: /run/netns/label, binds: ["/var/x:/x"], annotations: {slipway.ready: "tcp:80"}}
`)
	if len(faults) > 0 {
		t.Error(faults)
	}
	// Nor of what runc takes.
	faults = checkText(t, nil, `init: ["test/init:1"]
services:
  - name: a
    image: test/app:1
    binds: ["/var/cpuinfo:/proc/cpuinfo", "/proc:/proc"]
    annotations: {com.example.slipway: x, my.restart: y, slipwayx.restart: z}
    resources: {cpu: {cpus: "0-1,3:1/2", mems: "", quota: -1, period: 0}, memory: {limit: -1, swap: 0}, pids: {limit: -1}}
`)
	if len(faults) > 1 || len(faults) == 1 && !said(faults, `"0-1,3:1/2"`) { // a stride is of a range alone
		t.Error(faults)
	}
}

// TestOurOwnTexts wants nothing said of the demo, and no error of the cases.
func TestOurOwnTexts(t *testing.T) {
	files, err := filepath.Glob("../../test/cases/*/linuxkit.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range append(files, "../../linuxkit.yml") {
		if errs := checkFile(t, nil, file).Only(yml.Error); len(errs) > 0 {
			t.Errorf("%s:\n%v", file, errs)
		}
	}
	if faults := checkFile(t, nil, "../../linuxkit.yml"); len(faults) > 0 {
		t.Error(faults)
	}
	t.Chdir("testdata/linuxkit/cases")
	cases, err := filepath.Glob("*.yml")
	if err != nil || len(cases) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range cases {
		refused := strings.HasPrefix(file, "err-")
		if errs := checkFile(t, nil, file).Only(yml.Error); (len(errs) > 0) != refused {
			t.Errorf("%s: %v", file, errs)
		}
	}
}

// TestImageNames tells names that no image can have.
func TestImageNames(t *testing.T) {
	digest := "@sha256:" + strings.Repeat("0a", 32)
	for name, want := range map[string]bool{
		"alpine": true, "alpine:3.20": true, "linuxkit/init:8eea386739975a43af558eec757a7dcb3a3d2e7b": true, "a/b/c": true,
		"localhost/x": true, "localhost:5000/x": true, "Registry.Example.com:5000/a__b/c-d.e:V1": true, "[::1]:5000/a": true,
		"a" + digest: true, "a:1" + digest: true, "ghcr.io/siderolabs/kernel:v1.7.0-2-gb571ab8": true,
		"": false, "Alpine": false, "slipway/Init:v0.1": false, "a b": false, "a:": false, "a:b:c": false, "a::b": false, "a/": false,
		"/a": false, "a//b": false, "http://a/b": false, "a@sha256:12": false, "a@" + digest: false, "a:-x": false, "a_": false, "a:1\n": false,
		"@pkg:./pkg/init": false, "a:" + strings.Repeat("x", 129): false, "${IMAGE}": false, "<image>": false, "-a/b": false,
	} {
		if yml.IsImageName(name) != want {
			t.Errorf("%q: %t", name, !want)
		}
	}
	faults := checkText(t, nil, "init: [Test/init:1]\nkernel: {image: \"a b\"}\nservices:\n  - {name: x, image: \"a:b:c\"}\nvolumes:\n  - {name: v, image: \"/a\"}\n")
	if len(faults.Only(yml.Error)) != 4 || !said(faults, `did you mean "test/init:1"?`) {
		t.Error(faults)
	}
}

// TestNothingToStart wants the same of a look at the text, of one at the images
// and of a build.
func TestNothingToStart(t *testing.T) {
	store := fixtures(t)
	const kernel = "kernel: {image: \"test/kernel:1\"}\n"
	for _, c := range []struct {
		text, want string
		severity   yml.Severity
	}{
		{"", "nothing in it", yml.Error},
		{"# a comment\n\n# another\n", "nothing in it", yml.Error},
		{"\n---\n", "nothing in it", yml.Error},
		{"~\n", "nothing in it", yml.Error},
		{kernel, "init: no image", yml.Error},
		{kernel + "init: []\n", "init: no image", yml.Error},
		{kernel + "services:\n  - {name: a, image: \"test/app:1\"}\n", "init: no image", yml.Error},
		{kernel + "init:\n", "want a list", yml.Error},
		{"services:\n  - {name: a, image: \"test/app:1\"}\n", "init: no image", yml.Warning},
		{kernel + "init: [\"test/init:1\"]\n", "", ""},
		{kernel + "files: [{path: /init, contents: x, mode: \"0755\"}]\n", "", ""},
		{"kernel: {image: \"test/kernel:1\", cmdline: \"rdinit=/opt/start\"}\n", "", ""},
	} {
		alone := checkText(t, nil, c.text)
		all := checkText(t, only{store}, c.text)
		file := filepath.Join(t.TempDir(), "m.yml")
		writeText(t, file, c.text)
		_, built, err := buildWarned(t, store, spec.HardeningDefault, file)
		if (err != nil) != (c.severity == yml.Error) {
			t.Errorf("%q: build says %v", c.text, err)
		}
		if err != nil {
			errors.As(err, &built)
		}
		for _, faults := range []yml.Faults{alone, all, built} {
			switch {
			case c.want == "" && len(faults) == 0:
			case len(faults) == 0 || faults[0].Severity != c.severity || !said(faults[:1], c.want):
				t.Errorf("%q: want %q, got\n%v", c.text, c.want, faults)
			}
		}
	}
}

// TestLongCmdline wants no kernel command line that is longer than the kernel
// takes; of other machines' kernels nothing is known.
func TestLongCmdline(t *testing.T) {
	store := fixtures(t)
	for _, c := range []struct {
		arch string
		size int
		ok   bool
	}{
		{"amd64", 2047, true}, {"amd64", 2048, false}, {"arm64", 2047, true}, {"arm64", 2048, false}, {"riscv64", 2048, true},
	} {
		text := "kernel:\n  image: test/kernel:1\n  cmdline: \"" + strings.Repeat("x", c.size) + " \"\ninit: [\"test/init:1\"]\n"
		file := filepath.Join(t.TempDir(), "m.yml")
		writeText(t, file, text)
		for _, finder := range []Finder{nil, only{store}} {
			b := &Builder{Finder: finder, Platform: v1.Platform{OS: "linux", Architecture: c.arch}}
			faults, err := b.CheckFiles(t.Context(), []string{file}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if said(faults.Only(yml.Error), "kernel.cmdline: a kernel command line of 2048 bytes") == c.ok {
				t.Errorf("%s, %d bytes: %v", c.arch, c.size, faults)
			}
		}
		_, _, err := buildWarned(t, store, spec.HardeningDefault, file)
		if (err == nil) != (c.size == 2047) {
			t.Errorf("build of %d bytes: %v", c.size, err)
		}
	}
}

// TestPath wants a PATH only where something is looked for in it, and leaves to
// the images what only they can tell.
func TestPath(t *testing.T) {
	store := fixtures(t)
	put(t, store, "test/nopath:1", v1.Config{Cmd: []string{"app"}}, archive(t, "bin/app=app"))
	for _, c := range []struct {
		service     string
		alone, full bool
	}{
		{`image: "test/app:1", env: [A=b], command: [/bin/app]`, false, false},
		{`image: "test/app:1", env: [A=b], command: [./bin/app]`, false, false},
		{`image: "test/app:1", env: [A=b]`, false, false}, // the image's command is /bin/app
		{`image: "test/app:1", command: [app]`, false, false},
		{`image: "test/app:1", env: ["PATH=", "PATH=/bin"], command: [app]`, false, false},
		{`image: "test/nopath:1"`, false, true},
		{`image: "test/nopath:1", command: [app]`, false, true},
		{`image: "test/nopath:1", env: ["PATH=/bin"]`, false, false},
		{`image: "test/app:1", env: [A=b], command: [app]`, true, true},
	} {
		text := "init: [\"test/init:1\"]\nservices:\n  - {name: x, " + c.service + "}\n"
		if faults := checkText(t, nil, text); said(faults, "no PATH") != c.alone {
			t.Errorf("%s: without images: %v", c.service, faults)
		}
		if faults := checkText(t, only{store}, text); said(faults, "no PATH") != c.full || said(faults, "has no program") {
			t.Errorf("%s: with images: %v", c.service, faults)
		}
	}
}

// TestNearIsAnother never proposes what stands there, nor what the key does not take.
func TestNearIsAnother(t *testing.T) {
	for _, key := range []string{"net", "pid", "ipc", "uts", "userns"} {
		for _, value := range []string{"none", "None", "nne", "hst", "New", "root2", "nowhere"} {
			for _, f := range checkText(t, nil, "init: [\"test/init:1\"]\nservices:\n  - {name: x, image: \"test/app:1\", "+key+": "+value+"}\n") {
				if f.Nearest == value || f.Nearest != "" && !strings.Contains(f.Want, f.Nearest) {
					t.Errorf("%s: %s: %v", key, value, f)
				}
			}
		}
	}
}

// TestLabelsOfOddValues warns of an image's label as of the YAML, and refuses none
// that LinuxKit's tool takes.
func TestLabelsOfOddValues(t *testing.T) {
	store := fixtures(t)
	for label, want := range map[string]struct {
		text     string
		severity yml.Severity
	}{
		`{"hostname": "my host", "uts": "new"}`:                        {"with no white space", yml.Warning},
		`{"resources": {"cpu": {"cpus": "x"}}}`:                        {"numbers and ranges", yml.Warning},
		`{"rootfsPropagation": "rsharde"}`:                             {`did you mean "rshared"?`, yml.Warning},
		`{"userns": "/proc/1/ns/user", "uidMappings": [{"size": -1}]}`: {"0 to 4294967295", yml.Error},
		`{"capabilities": "all"}`:                                      {"a list", yml.Error},
	} {
		put(t, store, "test/odd:1", v1.Config{Cmd: []string{"/bin/app"}, Labels: map[string]string{spec.LabelKey: label}}, archive(t, "bin/app=app"))
		faults := checkText(t, only{store}, "init: [\"test/init:1\"]\nservices:\n  - {name: x, image: \"test/odd:1\"}\n")
		if !said(faults, want.text) || !said(faults, "the label "+spec.LabelKey+" of the image is wrong") || len(faults.Only(want.severity)) != len(faults) {
			t.Errorf("%s: %v", label, faults)
		}
	}
}

// TestLabelsThatCountForNothing tells of policies that an image has for labels, and of
// files that no container will see.
func TestLabelsThatCountForNothing(t *testing.T) {
	store := fixtures(t)
	put(t, store, "test/labels:1", v1.Config{Cmd: []string{"/bin/app"}, Labels: map[string]string{
		"slipway.restart": "always", "slipway.timeout": "3s", "slipway.sources": "x", "com.example.slipway.restart": "no",
	}}, archive(t, "bin/app=app"))
	faults := checkText(t, only{store}, "init: [\"test/init:1\"]\nservices:\n  - {name: x, image: \"test/labels:1\"}\n")
	if len(faults) != 2 || !said(faults, "services[0].image: the image's label slipway.restart counts for nothing") || !said(faults, "label slipway.timeout") {
		t.Error(faults)
	}
}

// TestMarksOfDeletedFiles tells of a device that an overlay does not show.
func TestMarksOfDeletedFiles(t *testing.T) {
	store := fixtures(t)
	for _, c := range []struct {
		minor int64
		told  bool
	}{{0, true}, {3, false}} {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for _, h := range []tar.Header{{Name: "bin/app", Mode: 0o755, Typeflag: tar.TypeReg}, {Name: "d/a", Typeflag: tar.TypeChar, Devminor: c.minor}} {
			if err := w.WriteHeader(&h); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		put(t, store, "test/mark:1", v1.Config{Cmd: []string{"/bin/app"}}, b.Bytes())
		faults := checkText(t, only{store}, "init: [\"test/init:1\"]\nonboot:\n  - {name: x, image: \"test/mark:1\"}\n")
		if said(faults, "onboot[0].image: /d/a of ") != c.told || len(faults) > 1 {
			t.Errorf("0:%d: %v", c.minor, faults)
		}
	}
}

// An image that is not named, or cannot be, is told, and nothing is laid out without it.
func TestImageThatIsNotNamed(t *testing.T) {
	const machine = "kernel:\n  image: test/kernel:1\ninit:\n  - test/init:1\n"
	store := fixtures(t)
	finder := &oci.Finder{Store: store}
	for text, want := range map[string]string{
		machine + "services:\n  - name: x\n    imge: app\n":           `no "image"`,
		machine + "onboot:\n  - name: x\n":                            `no "image"`,
		machine + "onshutdown:\n  - name: x\n    image: []\n":         "image",
		machine + "services:\n  - name: x\n    image: \"a b\"\n":      `"a b"`,
		machine + "volumes:\n  - name: x\n    image: \"a b\"\n":       `"a b"`,
		"kernel:\n  image: test/kernel:1\ninit:\n  - \"\"\n":          "init",
		"kernel:\n  image: \"a b\"\ninit:\n  - test/init:1\n":         `"a b"`,
		"kernel:\n  imge: test/kernel:1\ninit:\n  - test/init:1\n":    "image",
		machine + "services:\n  - [name, x]\n  - null\n  - name: y\n": "services",
	} {
		if faults := checkText(t, finder, text); len(faults.Only(yml.Error)) == 0 || !strings.Contains(faults.Error(), want) {
			t.Errorf("%s\n%v, want %s", text, faults, want)
		}
	}
}
