package build

import (
	"debug/elf"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"slipway/pkg/build/oci"
	"slipway/pkg/build/yml"
)

// The architecture is the machine's and not the builder's.
func TestSeccompArchitectures(t *testing.T) {
	for arch, want := range map[string]struct {
		arches []specs.Arch // native and 32-bit
		call   string       // that only this one has
	}{
		"amd64": {[]specs.Arch{specs.ArchX86_64, specs.ArchX86}, "arch_prctl"},
		"arm64": {[]specs.Arch{specs.ArchAARCH64, specs.ArchARM}, "arm_fadvise64_64"},
	} {
		tr := translator{c: &yml.Container{}, arch: arch}
		if f := tr.resolveSeccomp(tr.defaultProfile(false)); !slices.Equal(f.Architectures, want.arches[:1]) {
			t.Errorf("%s, no 32-bit programs: %v", arch, f.Architectures)
		}
		f := tr.resolveSeccomp(tr.defaultProfile(true))
		if !slices.Equal(f.Architectures, want.arches) || !allows(f, want.call) {
			t.Errorf("%s: %v, %s %t", arch, f.Architectures, want.call, allows(f, want.call))
		}
		for other, call := range map[string]string{"amd64": "arch_prctl", "arm64": "arm_fadvise64_64"} {
			if other != arch && allows(f, call) {
				t.Errorf("%s has %s", arch, call)
			}
		}
		if f.DefaultAction != specs.ActErrno || *f.DefaultErrnoRet != 1 {
			t.Errorf("%s: by default %s %v", arch, f.DefaultAction, f.DefaultErrnoRet)
		}
	}
}

// Of clone, what makes namespaces is refused; clone3, whose arguments no filter
// sees, is not there.
func TestSeccompClone(t *testing.T) {
	tr := translator{c: &yml.Container{}, arch: "amd64"}
	var masked, nosys bool
	for _, s := range tr.resolveSeccomp(tr.defaultProfile(true)).Syscalls {
		if slices.Contains(s.Names, "clone") {
			masked = len(s.Args) == 1 && s.Args[0].Op == specs.OpMaskedEqual && s.Args[0].Value == 0x7e020000
		}
		if slices.Contains(s.Names, "clone3") {
			nosys = s.Action == specs.ActErrno && *s.ErrnoRet == 38
		}
	}
	if !masked || !nosys {
		t.Errorf("clone with a mask: %t, clone3 not there: %t", masked, nosys)
	}
	tr.bounding = []string{"CAP_SYS_ADMIN"}
	if f := tr.resolveSeccomp(tr.defaultProfile(true)); !allows(f, "clone") || !allows(f, "clone3") || !allows(f, "vsock") {
		t.Error("CAP_SYS_ADMIN is no different")
	}
}

// The size of an extended attribute is bounded, whatever call sets it.
func TestSeccompAttributes(t *testing.T) {
	tr := translator{c: &yml.Container{}, arch: "amd64"}
	bounded := map[string]bool{}
	for _, s := range tr.resolveSeccomp(tr.defaultProfile(true)).Syscalls {
		for _, name := range s.Names {
			if !strings.HasPrefix(strings.TrimLeft(name, "fl"), "setxattr") {
				continue
			}
			less := s.Action == specs.ActAllow && len(s.Args) == 1 && s.Args[0] == specs.LinuxSeccompArg{Index: 3, Value: 1000, Op: specs.OpLessEqual}
			absent := name == "setxattrat" && s.Action == specs.ActErrno && *s.ErrnoRet == 38
			if bounded[name] = less || absent; !bounded[name] {
				t.Errorf("%s: %+v", name, s)
			}
		}
	}
	if len(bounded) != 4 {
		t.Errorf("these are there: %v", bounded)
	}
}

// A container has 32-bit calls if it is one of 32-bit programs.
func TestSeccompOf32Bits(t *testing.T) {
	store := oci.OpenLayout(t.TempDir(), true)
	file := filepath.Join(t.TempDir(), "m.yml")
	for _, x := range []struct {
		arch  string
		want  int
		files []string
	}{
		{"amd64", 1, []string{"bin/p=" + program(elf.EM_X86_64, "")}},
		{"amd64", 2, []string{"bin/p=" + program(elf.EM_386, "")}},
		{"amd64", 2, []string{"bin/p=#!/bin/sh\n", "lib/real.so=x", "lib/ld-linux.so.2->real.so"}},
		{"amd64", 1, []string{"bin/p=#!/bin/sh\n", "lib/ld-linux-armhf.so.3=x"}},
	} {
		put(t, store, "test/p:1", v1.Config{Cmd: []string{"p"}, Env: []string{"PATH=/bin"}}, archive(t, x.files...))
		writeText(t, file, "services:\n  - {name: a, image: \"test/p:1\"}\n")
		if f := translated(t, only{store}, x.arch, file)[0].Linux.Seccomp; len(f.Architectures) != x.want {
			t.Errorf("%q: %v", x.files, f.Architectures)
		}
	}
}

const profile = `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
	{"name": "mkdir", "action": "SCMP_ACT_ERRNO", "comment": "old form"},
	{"names": ["reboot"], "action": "SCMP_ACT_KILL", "includes": {"caps": ["CAP_SYS_BOOT"]}},
	{"names": ["rmdir"], "action": "SCMP_ACT_ERRNO", "excludes": {"arches": ["arm64"]}},
	{"names": ["chroot"], "action": "SCMP_ACT_ERRNO", "includes": {"arches": ["arm64"], "minKernel": "4.8"}}]}`

func TestSeccompProfiles(t *testing.T) {
	store := fixtures(t)
	dir := t.TempDir()
	writeText(t, filepath.Join(dir, "own.json"), profile)
	writeText(t, filepath.Join(dir, "broken.json"), "{")
	writeText(t, filepath.Join(dir, "action.json"), `{"defaultAction": "SCMP_ACT_ALOW"}`)
	writeText(t, filepath.Join(dir, "large.json"), strings.Repeat(" ", maxProfile+1))
	put(t, store, "test/profile:1", v1.Config{Cmd: []string{"/p"}}, archive(t, "p=x", "own.json="+profile, "link->own.json", "dir/"))
	put(t, store, "test/thief:1", v1.Config{Cmd: []string{"/p"}, Labels: map[string]string{
		labelKey: `{"annotations": {"slipway.seccomp": "./own.json"}}`,
	}}, archive(t, "p=x"))
	file := filepath.Join(dir, "m.yml")
	for _, x := range []struct{ image, value, fault string }{
		{"test/profile:1", "./own.json", ""},
		{"test/profile:1", "/own.json", ""},
		{"test/profile:1", "/link", ""},
		{"test/profile:1", "./none.json", "m.yml:2:71: services[0].annotations.slipway.seccomp: slipway.seccomp: open " + dir + "/none.json: no such file"},
		{"test/profile:1", "/none.json", `the image has no file "/none.json"`},
		{"test/profile:1", "/dir", `the image has no file "/dir"`},
		{"test/profile:1", "./broken.json", "unexpected end of JSON input; want a profile in Docker's JSON format"},
		{"test/profile:1", "./action.json", `no action is named "SCMP_ACT_ALOW"`},
		{"test/profile:1", "./large.json", "more than the 262144 bytes"},
		{"test/profile:1", "unconfned", `slipway.seccomp "unconfned": want "default"`},
		{"test/thief:1", "", "may not name files of this machine"},
	} {
		annotations := ", annotations: {slipway.seccomp: " + x.value + "}"
		if x.value == "" {
			annotations = ""
		}
		writeText(t, file, "services:\n  - {name: a, image: \""+x.image+"\""+annotations+"}\n")
		if x.fault == "" {
			checkProfile(t, x.value, translated(t, only{store}, "amd64", file)[0].Linux.Seccomp)
			continue
		}
		if _, err := buildTar(t, store, HardeningDefault, file); err == nil || strings.Count(err.Error(), "seccomp") == 0 || !strings.Contains(err.Error(), x.fault) {
			t.Errorf("%s: %v, want %s", x.value, err, x.fault)
		}
	}
}

func checkProfile(t *testing.T, name string, f *specs.LinuxSeccomp) {
	t.Helper()
	var names []string
	for _, s := range f.Syscalls {
		names = append(names, s.Names...)
	}
	if slices.Sort(names); !slices.Equal(names, []string{"mkdir", "rmdir"}) {
		t.Errorf("%s: %v", name, names)
	}
}
