package guest

import (
	"fmt"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"slipway/pkg/port"
	"slipway/test/skip"
)

func TestSetWindow(t *testing.T) {
	pty, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		skip.Test(t, skip.Terminal, err)
	}
	defer pty.Close()
	n, err := unix.IoctlGetInt(int(pty.Fd()), unix.TIOCGPTN)
	if err != nil || unix.IoctlSetPointerInt(int(pty.Fd()), unix.TIOCSPTLCK, 0) != nil {
		t.Fatal(err)
	}
	if err := setWindow("/dev/pts", port.Window{Console: fmt.Sprint(n), Columns: 133, Rows: 51}); err != nil {
		t.Fatal(err)
	}
	if got, err := unix.IoctlGetWinsize(int(pty.Fd()), unix.TIOCGWINSZ); err != nil || got.Col != 133 || got.Row != 51 {
		t.Errorf("%+v, %v", got, err)
	}
	for _, name := range []string{"", ".", "..", "../null", "pts/0", "/dev/null", "null", "none"} {
		if setWindow("/dev", port.Window{Console: name, Columns: 1, Rows: 1}) == nil {
			t.Errorf("%q is a console", name)
		}
	}
}
