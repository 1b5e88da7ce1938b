// Package test boots whole machines: a directory below cases is a case, with the
// linuxkit.yml of its image and an expect.yml that says what has to happen. A site.yml
// beside them is merged into the first, as `slipway build` does with several files: so a
// case for a machine of examples/ has what tries it.
//
//	go test ./test -run TestCases/NAME
//	SLIPWAY_ENGINE=crun go test ./test -run TestCases/NAME   # slipway/crun in place of slipway/runc; or runc
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
	"cmp"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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

// engine is which OCI runtime all cases run with, in place of the one that each has.
var engine = os.Getenv("SLIPWAY_ENGINE")

// artefacts is where cases work; make clean removes it.
const artefacts = "../build/test"

func TestCases(t *testing.T) {
	t.Parallel()
	skip.IfShort(t)
	needImages(t)
	for _, c := range allCases(t) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			run(t, c)
		})
	}
}

// allCases are the cases in the order in which they are made known: of tests that wait
// for their turn, package testing wakes the one that came last first.
func allCases(t *testing.T) (all []*testCase) {
	t.Helper()
	files, err := filepath.Glob("cases/*/expect.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		all = append(all, casesOf(file)...)
	}
	slices.SortStableFunc(all, func(a, b *testCase) int { return cmp.Compare(a.want.Weight, b.want.Weight) })
	return all
}

// casesOf are those of an expect.yml. One that cannot be read is a case all the same,
// and fails alone.
func casesOf(file string) []*testCase {
	want, err := readExpect(file)
	if err != nil {
		want = &expect{}
	}
	c := testCase{want: want, wrong: err, dir: filepath.Dir(file), engine: engine}
	c.name = filepath.Base(c.dir)
	if !want.Crun || engine != "" {
		return []*testCase{&c}
	}
	again := c
	again.name, again.engine = c.name+"-crun", "crun"
	return []*testCase{&c, &again}
}

func TestCasesOf(t *testing.T) {
	for text, want := range map[string]struct {
		cases int
		wrong bool
	}{
		"about: x\ncrun: true\n": {2, false}, "about: x\n": {1, false},
		"about: [": {1, true}, "about: x\ncrun: true\nnonsense: 1\n": {1, true}, "": {1, true},
	} {
		file := filepath.Join(t.TempDir(), "case/expect.yml")
		if err := errors.Join(os.Mkdir(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
		if engine != "" {
			want.cases = 1
		}
		if got := casesOf(file); len(got) != want.cases || (got[0].wrong != nil) != want.wrong || got[0].name != "case" {
			t.Errorf("%q: %+v", text, got)
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
func run(t *testing.T, c *testCase) {
	if c.wrong != nil {
		t.Fatal(c.wrong)
	}
	binary, err := qemu.FindBinary("", qemuArch[c.want.Arch])
	if err != nil {
		t.Fatal(err)
	}
	c.work, c.binary = filepath.Join(artefacts, c.name), binary
	if err := os.RemoveAll(c.work); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(c.work, 0o755); err != nil {
		t.Fatal(err)
	}
	problems := c.problems(t)
	if c.want.Broken != "" {
		problems = expectBroken(c.want.Broken, problems)
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
