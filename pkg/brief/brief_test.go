package brief_test

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"slipway/pkg/brief"
	"slipway/test/linger"
)

// Neither closing a socket nor reading from it waits for connections that were sent
// to it, whatever wait these want.
func TestWaitsForNoConnection(t *testing.T) {
	for name, let := range map[string]func(fd int) error{
		"close": brief.Close,
		"read": func(fd int) error {
			for range linger.Messages {
				var err error
				brief.Call(func() { _, err = unix.Read(fd, make([]byte, 64)) })
				if err != nil {
					return err
				}
			}
			return unix.Close(fd)
		},
	} {
		ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(linger.Send(ends[1]), let(ends[0]), unix.Close(ends[1])); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCallsAreMadeOnce(t *testing.T) {
	calls := 0
	for range 1000 {
		brief.Call(func() { calls++ })
	}
	if calls != 1000 {
		t.Errorf("%d calls", calls)
	}
	if err := brief.Close(-1); !errors.Is(err, unix.EBADF) {
		t.Errorf("the call's own error: %v", err)
	}
}
