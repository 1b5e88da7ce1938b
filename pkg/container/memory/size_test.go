package memory

import (
	"math"
	"testing"
)

func TestSize(t *testing.T) {
	for n := uint64(1); n < math.MaxUint64/2; n += n/10 + 1 {
		if s := Size(n); len(s) > 5 {
			t.Errorf("%d: %s", n, s)
		}
	}
	for n, want := range map[uint64]string{0: "0B", 1023: "1023B", 1024: "1.0K", 10 << 20: "10M", 999 << 10: "999K", 1000 << 10: "1.0M"} {
		if got := Size(n); got != want {
			t.Errorf("Size(%d) = %s, want %s", n, got, want)
		}
	}
}
