package boot

import (
	"net"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"slipway/test/skip"
)

// The first thread runs no test: its namespaces are what /proc says of this process,
// and one that a test leaves elsewhere would stay there.
func init() { runtime.LockOSThread() }

// In a new network namespace lo is down and has no address.
func TestUpLoopback(t *testing.T) {
	skip.UnlessRoot(t, "a network namespace")
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Error(err)
			return
		}
		if _, err := net.Dial("udp", "127.0.0.1:9"); err == nil {
			t.Error("127.0.0.1 can be reached before")
		}
		for range 2 { // up already is no fault
			if err := upLoopback(); err != nil {
				t.Error(err)
			}
		}
		if l, err := net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Error(err)
		} else {
			l.Close()
		}
	}()
	<-done
}
