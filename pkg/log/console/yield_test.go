package console

import (
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// Only what the device takes has the lowest priority; the thread has its own again.
func TestLast(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may raise a priority")
	}
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
	if n := last(func() int { during = nice(); return 7 }); n != 7 || during != lowest || nice() != before {
		t.Errorf("returned %d; priority %d, then %d, then %d", n, before, during, nice())
	}
}
