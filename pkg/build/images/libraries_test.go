package images

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime"
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
	tree.AddHardLink("hard", "lib/x/liba.so.1.2")
	tree.AddLink("to-hard", "hard")
	for name, want := range map[string]bool{
		"lib/x/liba.so.1.2": true, "lib/x/liba.so.1": true, "lib64/ld.so": true, "up": true,
		"hard": true, "to-hard": true,
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
	if _, ok := tree["usr/lib/"+crossTargets[b.Arch].triplet+"/liblzma.so.5"]; ok {
		t.Error("what libsystemd is linked against is there, and a stand-in for it")
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

// What stands in for a library has what the program takes, with versions, and needs nothing itself.
func TestStandIn(t *testing.T) {
	s := &site{arch: runtime.GOARCH, apt: &aptCache{arch: runtime.GOARCH}}
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"thing.c":  "int thing(void) { return 7; } int other(void) { return 8; } int value = 9; __thread int own = 10;\n",
		"versions": "THING_1 { thing; }; THING_2 { other; value; own; };\n",
		"calls.c":  "int thing(void), other(void); int main(void) { return thing() == -38 && other() == -38 ? 0 : 1; }\n",
		"reads.c":  "extern int value; int main(void) { return value; }\n",
		"owns.c":   "extern __thread int own; int main(void) { return own; }\n",
	})
	gcc := func(args ...string) {
		t.Helper()
		if _, err := (command{dir: dir, args: append([]string{s.gcc()}, args...)}).output(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	gcc("-shared", "-fPIC", "-Wl,-soname,libthing.so.1,--version-script=versions", "-o", "libthing.so", "thing.c")
	tree := Tree{}
	for _, name := range []string{"calls", "reads", "owns"} {
		gcc("-o", name, name+".c", "-L.", "-lthing")
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		tree.AddFile(name, 0o755, data)
	}
	build := func(program, library string) error {
		d := debian{Files: map[string]string{program: ""}, StandIns: []string{library}}
		return d.addStandIns(t.Context(), s, tree)
	}
	for _, row := range []struct{ program, library, want string }{
		{"calls", "libnone.so.1", "stand-in for libnone.so.1: no program takes a function of it with a version"},
		{"reads", "libthing.so.1", "stand-in for libthing.so.1: reads: value is no function"},
		{"owns", "libthing.so.1", "stand-in for libthing.so.1: owns: own is no function"},
	} {
		if err := build(row.program, row.library); err == nil || err.Error() != row.want {
			t.Errorf("%s, %s: %v", row.program, row.library, err)
		}
	}
	if err := build("calls", "libthing.so.1"); err != nil {
		t.Fatal(err)
	}
	triplet := crossTargets[s.arch].triplet
	made := tree["usr/lib/"+triplet+"/libthing.so.1"].Data
	for _, dir := range libraryDirs(triplet) {
		if err := tree.addBeside(dir+"/libthing.so.1", Entry{Data: []byte("real")}, triplet); err == nil {
			t.Errorf("the real library is in %s, beside what stands in for it", dir)
		}
	}
	linked := Tree{}
	linked.AddFile("bin/program", 0o755, []byte("program"))
	linked.AddHardLink("lib/libthing.so.1", "bin/program")
	if err := linked.addBeside("usr/lib/libthing.so.1", Entry{Data: []byte("real")}, triplet); err == nil {
		t.Error("a library is added beside a hard link of that name to another file")
	}
	// A plain step of the recipe, which replaces what was there.
	before := tree.standIns()
	if err := tree.keeps(before, triplet); err != nil || len(before) != 1 {
		t.Errorf("%d stand-ins: %v", len(before), err)
	}
	for _, dir := range libraryDirs(triplet) {
		for what, add := range map[string]func(Tree, string){
			"file": func(t Tree, at string) { t.AddFile(at, 0o644, []byte("real")) },
			"link": func(t Tree, at string) { t.AddLink(at, "/opt/real") },
		} {
			later := maps.Clone(tree)
			add(later, dir+"/libthing.so.1")
			want := "add /" + dir + "/libthing.so.1: a step before this one has put a stand-in for libthing.so.1 in /usr/lib/" + triplet
			if err := later.keeps(before, triplet); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("a %s in %s: %v", what, dir, err)
			}
		}
	}
	tree.AddFile("lib/libthing.so.1", 0o644, []byte("real"))
	if err := build("calls", "libthing.so.1"); err == nil || !strings.Contains(err.Error(), "/lib/libthing.so.1 is there already") {
		t.Errorf("it stands in for a library that is there: %v", err)
	}
	if names, err := wants(made); err != nil || len(names) > 0 {
		t.Errorf("it needs %q: %v", names, err)
	}
	write(t, dir, map[string]string{"libthing.so.1": string(made)})
	run := command{env: []string{"LD_LIBRARY_PATH=" + dir, "LD_BIND_NOW=1"}, args: []string{filepath.Join(dir, "calls")}}
	if out, err := run.output(t.Context()); err != nil {
		t.Errorf("%s: %v", out, err)
	}
}
