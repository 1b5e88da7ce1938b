package memory

import (
	"testing"
	"time"
)

// Where little is left it is looked at soon again; a small machine at rest, and one on which containers come to limits of
// their own, are left alone.
func TestRhythm(t *testing.T) {
	const floor = 16 * mb
	for name, tt := range map[string]struct {
		left, most uint64
		stalls     bool
		rest, wait time.Duration
	}{
		"room":                      {200 * mb, 220 * mb, false, near, far},
		"room, and stalls are told": {200 * mb, 220 * mb, true, near, forever},
		"little":                    {63 * mb, 220 * mb, false, pause, near},
		"little, stalls are told":   {63 * mb, 220 * mb, true, pause, near},
		"less than the floor":       {10 * mb, 220 * mb, true, pause, near},
		"a small machine at rest":   {50 * mb, 60 * mb, true, near, forever},
		"a small machine, half":     {29 * mb, 60 * mb, false, pause, near},
	} {
		if rest, wait := rhythm(tt.left, tt.most, floor, tt.stalls); rest != tt.rest || wait != tt.wait {
			t.Errorf("%s: rests %s and waits %s, want %s and %s", name, rest, wait, tt.rest, tt.wait)
		}
	}
}
