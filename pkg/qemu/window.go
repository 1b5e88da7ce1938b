package qemu

import (
	"bufio"
	"errors"
	"fmt"
	"net"
)

// The sockets of a machine in the background. Keys are bytes, so sizes of windows have a
// socket of their own: lines of COLUMNSxROWS.
const (
	consoleSocket = "console.sock"
	windowSocket  = "window.sock"
)

// serveWindows hears how large the windows are of those who look at a console, until the
// listener closes. The last to say so is right.
func serveWindows(l net.Listener, resize func(columns, rows int)) error {
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("serve the sizes of windows: %w", err)
		}
		go func() {
			defer conn.Close()
			for lines := bufio.NewScanner(conn); lines.Scan(); {
				var columns, rows uint16
				var rest string
				if n, _ := fmt.Sscanf(lines.Text(), "%dx%d%s", &columns, &rows, &rest); n == 2 && columns > 0 && rows > 0 {
					resize(int(columns), int(rows))
				}
			}
		}()
	}
}

// DialWindow returns how to tell the machine in a state directory the size of a window. A
// machine that an older program runs is told nothing.
func DialWindow(dir string) (tell func(columns, rows int), hangUp func() error) {
	conn, err := dial(dir, windowSocket)
	if err != nil {
		return func(int, int) {}, func() error { return nil }
	}
	return func(columns, rows int) {
		// It fails when the machine has ended, which the console tells.
		_, _ = fmt.Fprintf(conn, "%dx%d\n", columns, rows)
	}, conn.Close
}
