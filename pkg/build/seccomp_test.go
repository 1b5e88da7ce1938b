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
	"slipway/pkg/build/spec"
)

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
	writeText(t, filepath.Join(dir, "large.json"), strings.Repeat(" ", 256<<10+1))
	put(t, store, "test/profile:1", v1.Config{Cmd: []string{"/p"}}, archive(t, "p=x", "own.json="+profile, "link->own.json", "dir/"))
	put(t, store, "test/thief:1", v1.Config{Cmd: []string{"/p"}, Labels: map[string]string{
		spec.LabelKey: `{"annotations": {"slipway.seccomp": "./own.json"}}`,
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
		if _, err := buildTar(t, store, spec.HardeningDefault, file); err == nil || strings.Count(err.Error(), "seccomp") == 0 || !strings.Contains(err.Error(), x.fault) {
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
