package guest

import (
	"errors"
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"

	"slipway/pkg/port"
)

// resize gives a console the size of the window on the host. Whoever runs in the
// foreground there gets a SIGWINCH, if it is another than before.
func (g *Guest) resize(w *port.Window) {
	if w == nil {
		return
	}
	if err := setWindow(g.Paths.Dev, *w); err != nil {
		g.Say("window size of %s: %s", w.Console, err)
	}
}

func setWindow(dev string, w port.Window) error {
	if w.Console != filepath.Base(w.Console) || !filepath.IsLocal(w.Console) {
		return errors.New("that is no name of a console")
	}
	// PID 1 has it open too: the size stays when this is closed.
	fd, err := unix.Open(filepath.Join(dev, w.Console), unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open it: %w", err)
	}
	err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Col: w.Columns, Row: w.Rows})
	if err := errors.Join(err, unix.Close(fd)); err != nil {
		return fmt.Errorf("set it: %w", err)
	}
	return nil
}
