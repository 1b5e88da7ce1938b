package store

import (
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"slipway/pkg/bundle"
)

// TestCarry: the logs of steps lie on the disk once, whatever is called how
// often, with those of the boot before behind them.
func TestCarry(t *testing.T) {
	p := testPaths(t)
	carry := func() {
		t.Helper()
		if err := Carry(bundle.Onboot, p); err != nil {
			t.Fatal(err)
		}
	}
	carry() // nothing is there
	if err := Link(bundle.Onboot, p); err != nil {
		t.Fatal(err)
	}
	first, long := testBundle(bundle.Onboot, "000-a"), testBundle(bundle.Onboot, "001-b")
	long.Policy.LogMaxSize = 20
	run(t, first, testOptions(t, p), "out\n", "err\n")
	carry() // replaces the link
	run(t, long, testOptions(t, p), "one one one one\ntwo two two two\nthree three\n", "")
	carry()
	carry()
	dir := p.Log + "/onboot/"
	want := map[string]string{
		"onboot.000-a.log": "err\n", "onboot.000-a.out.log": "out\n", "onboot.001-b.out.log": "three three\n",
		"onboot.001-b.out.log.0": "two two two two\n", "onboot.001-b.out.log.1": "one one one one\n",
	}
	checkDirectory(t, dir, want)
	if err := os.RemoveAll(p.Run); err != nil { // the power was off
		t.Fatal(err)
	}
	run(t, first, testOptions(t, p), "second boot\n", "err\n")
	carry()
	want["onboot.000-a.out.log"], want["onboot.000-a.out.log.0"] = "second boot\n", "out\n"
	want["onboot.000-a.log.0"] = "err\n"
	checkDirectory(t, dir, want)
}

func checkDirectory(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if text, known := want[e.Name()]; !known || contents(t, dir+e.Name()) != text {
			t.Errorf("%s has %q, want %q", e.Name(), contents(t, dir+e.Name()), text)
		}
	}
	if len(entries) != len(want) {
		t.Errorf("%v, want %d", entries, len(want))
	}
}

// TestCarryToAFullDisk: it is an error, no part of a file is left, and the next
// time does it.
func TestCarryToAFullDisk(t *testing.T) {
	needRoot(t)
	p := testPaths(t)
	mountTmpfs(t, p.Log, 0, "size=64k")
	b := testBundle(bundle.Onboot, "000-a")
	run(t, b, testOptions(t, p), strings.Repeat("0123456789abcde\n", 8<<10), "") // 128k
	if err := Carry(bundle.Onboot, p); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("a full disk: %v", err)
	}
	checkDirectory(t, p.Log+"/onboot/", map[string]string{})
}
