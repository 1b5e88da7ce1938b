package yield

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"slipway/test/skip"
)

// Only what is called has a low priority; the thread has its own again.
func TestDo(t *testing.T) {
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
	if Do(Output, func() { during = nice() }); during != Output || nice() != before {
		t.Errorf("priority %d, then %d, then %d", before, during, nice())
	}
}
