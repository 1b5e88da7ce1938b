package images

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"slipway/pkg/build/oci"
)

func TestDependencies(t *testing.T) {
	for field, want := range map[string][]string{
		"": nil, "\n": nil,
		"libc6 (>= 2.36), libgcc-s1:amd64":                    {"libc6", "libgcc-s1"},
		"debconf (>= 0.5) | debconf-2.0, init-system-helpers": {"debconf", "init-system-helpers"},
		" a ,b(= 1) ": {"a", "b(="}, // Debian writes the space
	} {
		if got := dependencies(field); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", field, got, want)
		}
	}
}

func TestFollow(t *testing.T) {
	tree := Tree{}
	tree.AddFile("lib/x/liba.so.1.2", 0o644, []byte("a"))
	tree.AddLink("lib/x/liba.so.1", "liba.so.1.2")
	tree.AddLink("lib64/ld.so", "/lib/x/liba.so.1")
	tree.AddLink("up", "../../lib/x/liba.so.1")
	tree.AddLink("round", "round")
	tree.AddLink("gone", "nowhere")
	tree.AddDirectory("dir", 0o755)
	for name, want := range map[string]bool{
		"lib/x/liba.so.1.2": true, "lib/x/liba.so.1": true, "lib64/ld.so": true, "up": true,
		"round": false, "gone": false, "dir": false, "none": false,
	} {
		if e, ok := tree.follow(name); ok != want || ok && string(e.Data) != "a" {
			t.Errorf("%s: %v", name, ok)
		}
	}
}

func TestWants(t *testing.T) {
	// No file of ours is linked against anything.
	own, err := os.ReadFile("/bin/busybox")
	if err == nil {
		if names, err := wants(own); err != nil || len(names) > 0 {
			t.Errorf("a static program: %q, %v", names, err)
		}
	}
	if names, err := wants([]byte("#!/bin/sh\n")); err != nil || len(names) > 0 {
		t.Errorf("a script: %q, %v", names, err)
	}
	if _, err := wants([]byte(elf.ELFMAG + "short")); err == nil {
		t.Error("half a program is taken")
	}
}

// checkLibraries looks whether all that programs and libraries of an image are linked
// against is in it, where their loader looks.
func checkLibraries(t *testing.T, b *Builder, name string) {
	tree := topLayer(t, image(t, b, name))
	programs, named := 0, 0
	for file, e := range tree {
		if e.Type != tar.TypeReg || !bytes.HasPrefix(e.Data, []byte(elf.ELFMAG)) {
			continue
		}
		programs++
		names, err := wants(e.Data)
		if err != nil {
			t.Errorf("%s: %v", file, err)
		}
		for _, want := range names {
			named++
			dirs := libraryDirs(crossTargets[b.Arch].triplet)
			if path.IsAbs(want) {
				dirs = []string{path.Dir(clean(want))}
			}
			if !slices.ContainsFunc(dirs, func(dir string) bool { _, ok := tree[dir+"/"+path.Base(want)]; return ok }) {
				t.Errorf("%s needs %s", file, want)
			}
		}
	}
	if programs < 5 || named < 10 {
		t.Errorf("%d ELF files name %d", programs, named)
	}
	conf, err := image(t, b, name).ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	for _, pkg := range []string{"crun=", "libc6=", "libseccomp2="} {
		if got := conf.Config.Labels[oci.SourcesLabel]; !strings.Contains(got, pkg) {
			t.Errorf("label %s is %q, without %s", oci.SourcesLabel, got, pkg)
		}
	}
}
