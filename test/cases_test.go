// Package test boots whole machines: a directory below cases is a case, with the
// linuxkit.yml of its image and an expect.yml that says what has to happen. A site.yml
// beside them is merged into the first, as `slipway build` does with several files: so a
// case for a machine of examples/ has what tries it.
//
//	go test ./test -run TestCases/NAME
//	SLIPWAY_ENGINE=crun go test ./test -run TestCases/NAME   # slipway/crun in place of slipway/runc
//
// As many run side by side as -parallel says, each with one processor, so that one
// computes while another waits.
//
// A case is built by the same packages as `slipway build` and run by the same
// package as `slipway run`, on emulated CPUs (TCG). A kernel panic, want of
// memory and silence are failures. When a case fails its console goes to the
// test's log, and image, console and disks stay in build/test/NAME.
package test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"slipway/pkg/build/oci"
	"slipway/pkg/qemu"
	"slipway/test/skip"
)

var (
	accel = flag.String("accel", qemu.AccelTCG, "acceleration of the machines: tcg, kvm or auto")
	keep  = flag.Bool("keep", false, "keep what a case made even when it passes")
)

// engine is which OCI runtime all cases run with, in place of runc.
var engine = os.Getenv("SLIPWAY_ENGINE")

// artefacts is where cases work; make clean removes it.
const artefacts = "../build/test"

func TestCases(t *testing.T) {
	t.Parallel()
	skip.IfShort(t)
	needImages(t)
	directories, err := filepath.Glob("cases/*/expect.yml")
	if err != nil || len(directories) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range directories {
		dir := filepath.Dir(file)
		for name, engine := range runs(file) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				run(t, dir, name, engine)
			})
		}
	}
}

// runs are the names by which a case is run, each with its engine. One whose expect.yml
// cannot be read is run all the same, and fails alone.
func runs(file string) map[string]string {
	name := filepath.Base(filepath.Dir(file))
	all := map[string]string{name: engine}
	if want, err := readExpect(file); err == nil && want.Crun && engine == "" {
		all[name+"-crun"] = "crun"
	}
	return all
}

func TestRuns(t *testing.T) {
	for text, want := range map[string]int{"about: x\ncrun: true\n": 2, "about: x\n": 1, "about: [": 1, "about: x\ncrun: true\nnonsense: 1\n": 1, "": 1} {
		file := filepath.Join(t.TempDir(), "case/expect.yml")
		if err := errors.Join(os.Mkdir(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
		if engine != "" {
			want = 1
		}
		if got := runs(file); len(got) != want || got["case"] != engine {
			t.Errorf("%q: %q", text, got)
		}
	}
}

// qemuArch is what QEMU calls an architecture.
var qemuArch = map[string]string{"amd64": "x86_64", "arm64": "aarch64"}

// needImages fails, and does not skip, when there is nothing to test.
func needImages(t *testing.T) {
	t.Helper()
	items, err := oci.OpenStore().List()
	if err != nil {
		t.Fatalf("list images: %v", err)
	}
	for _, i := range items {
		if strings.Contains(i.Name, "/slipway/kernel:") {
			return
		}
	}
	t.Fatalf("no image slipway/kernel in the store %s: run `make images` (slipway images build) first", oci.StoreDir())
}

// run runs one case: build, then its boots one after the other.
func run(t *testing.T, dir, name, engine string) {
	want, err := readExpect(filepath.Join(dir, "expect.yml"))
	if err != nil {
		t.Fatal(err)
	}
	binary, err := qemu.FindBinary("", qemuArch[want.Arch])
	if err != nil {
		t.Fatal(err)
	}
	c := &testCase{want: want, dir: dir, work: filepath.Join(artefacts, name), binary: binary, engine: engine}
	if err := os.RemoveAll(c.work); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(c.work, 0o755); err != nil {
		t.Fatal(err)
	}
	problems := c.problems(t)
	if want.Broken != "" {
		problems = expectBroken(want.Broken, problems)
	}
	for _, p := range problems {
		t.Error(p)
	}
	switch {
	case t.Failed():
		t.Logf("kept in %s", c.work)
	case !*keep:
		if err := os.RemoveAll(c.work); err != nil {
			t.Error(err)
		}
	}
}

// expectBroken turns a negative case around: it passes when it failed, and in
// the way it should.
func expectBroken(pattern string, problems []string) []string {
	all := strings.Join(problems, "\n")
	switch {
	case len(problems) == 0:
		return []string{"the case passes and should not: the harness sees no failures"}
	case !regexp.MustCompile(pattern).MatchString(all):
		return []string{"the case fails, but not with " + pattern + ":\n" + all}
	}
	return nil
}
