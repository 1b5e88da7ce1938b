package main

import (
	"os"
	"path/filepath"
	"testing"

	"slipway/test/skip"
)

func TestMain(m *testing.M) {
	if done, status := special(os.Args); done {
		os.Exit(status)
	}
	os.Exit(m.Run())
}

// seed of the short form: what it tries is the same in each run. Other seeds are
// for make soak.
const testSeed = 7

// TestParts runs the short form of each part that has one.
func TestParts(t *testing.T) {
	skip.IfShort(t)
	skip.UnlessRoot(t, "makes namespaces and mounts")
	runc := os.Getenv("SLIPWAY_RUNC")
	if runc == "" {
		runc = "../../bin/runc"
	}
	runc, err := filepath.Abs(runc)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range parts {
		if p.short == 0 {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			s := &soak{cpus: 2, dir: t.TempDir(), runc: runc, seed: testSeed, count: p.short, short: true}
			if _, err := os.Stat(runc); err != nil {
				t.Fatalf("no runc: %v; make %s makes one", err, "bin/runc")
			}
			got := s.do(p)
			t.Log(got)
			for _, fault := range got.faults {
				t.Error(fault)
			}
			if got.tries < p.short {
				t.Errorf("%d tries of %d", got.tries, p.short)
			}
		})
	}
}
