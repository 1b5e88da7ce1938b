package console

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"slipway/test/skip"
)

// Only what the device takes has a low priority; the thread has its own again.
func TestLast(t *testing.T) {
	skip.UnlessRoot(t, "raise a priority")
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	nice := func() int {
		n, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
		if err != nil {
			t.Fatal(err)
		}
		return 20 - n
	}
	before, during := nice(), 0
	if n := last(func() int { during = nice(); return 7 }); n != 7 || during != low || nice() != before {
		t.Errorf("returned %d; priority %d, then %d, then %d", n, before, during, nice())
	}
}
