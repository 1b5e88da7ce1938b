package qemu

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
)

// Look shows a machine's console until its end, or until EscapeKey leaves it.
func Look(console net.Conn, stdin, stdout *os.File, t *Terminal) error {
	typed := make(chan error, 1)
	go func() { typed <- typeUntilEscape(console, stdin, t) }()
	shown := make(chan error, 1)
	go func() {
		_, err := io.Copy(stdout, console)
		shown <- err
	}()
	select {
	case err := <-typed:
		// Stdin that ends does not mean that nobody looks any more.
		if t == nil && err == nil {
			err = <-shown
		}
		return errors.Join(err, console.Close())
	case err := <-shown:
		return errors.Join(err, console.Close())
	}
}

func typeUntilEscape(console io.Writer, stdin io.Reader, t *Terminal) error {
	buf := make([]byte, 4096)
	for {
		n, err := stdin.Read(buf)
		keys := buf[:n]
		i := -1
		if t != nil {
			i = bytes.IndexByte(keys, EscapeKey)
		}
		if i >= 0 {
			keys = keys[:i]
		}
		if _, werr := console.Write(keys); werr != nil {
			return fmt.Errorf("type on the console: %w", werr)
		}
		switch {
		case i >= 0, err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("read what is typed: %w", err)
		}
	}
}
