package qemu

import (
	"bytes"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"

	"slipway/pkg/machine"

	"golang.org/x/term"
)

// EscapeKey is Ctrl-]: once asks the guest to power off, twice ends it.
const EscapeKey = 0x1d

// Terminal is the user's terminal in raw mode, where every key but EscapeKey
// belongs to the guest. Restore gives it back, and may be called more often
// than once and from any goroutine.
type Terminal struct {
	fd    int
	once  sync.Once
	saved *term.State
	err   error
}

// OpenTerminal makes the terminal on stdin raw. It returns nil when stdin or
// stdout is none.
func OpenTerminal(stdin, stdout *os.File) (*Terminal, error) {
	fd := int(stdin.Fd())
	if !term.IsTerminal(fd) || !term.IsTerminal(int(stdout.Fd())) {
		return nil, nil
	}
	saved, err := term.MakeRaw(fd)
	if err != nil {
		return nil, fmt.Errorf("make terminal raw: %w", err)
	}
	return &Terminal{fd: fd, saved: saved}, nil
}

// IsTerminal tells a terminal from a file or a pipe. Reading the terminal of
// somebody else's foreground job would stop us.
func IsTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// WindowSize is the kernel option that tells the guest the size of the window,
// which a serial line cannot. It is empty when the size is not known.
func WindowSize(stdout *os.File) string {
	cols, rows, err := term.GetSize(int(stdout.Fd()))
	if err != nil || cols < 1 || rows < 1 {
		return ""
	}
	return fmt.Sprintf(machine.OptionWindow+"=%dx%d", cols, rows)
}

// FollowWindow tells the size of the window now, and whenever it has changed, until the
// returned function is called.
func (t *Terminal) FollowWindow(stdout *os.File, tell func(columns, rows int)) (stop func()) {
	if t == nil {
		return func() {}
	}
	changed, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(changed, syscall.SIGWINCH)
	go func() {
		for {
			cols, rows, err := term.GetSize(int(stdout.Fd()))
			if err == nil && cols > 0 && rows > 0 && cols <= maxWindow && rows <= maxWindow {
				tell(cols, rows)
			}
			select {
			case <-changed:
			case <-done:
				return
			}
		}
	}()
	return func() {
		signal.Stop(changed)
		close(done)
	}
}

// maxWindow is what the kernel has room for.
const maxWindow = 1<<16 - 1

// TermOption is the kernel option that tells the guest what kind of terminal this is,
// by TERM of the environment. It is empty for one that tells nothing.
func TermOption(name string) string {
	if name == "" || len(name) > 64 || strings.ContainsFunc(name, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+._-", r)
	}) {
		return ""
	}
	return machine.OptionTerm + "=" + name
}

// Restore puts the terminal back as it was found.
func (t *Terminal) Restore() error {
	if t == nil {
		return nil
	}
	t.once.Do(func() {
		if err := term.Restore(t.fd, t.saved); err != nil {
			t.err = fmt.Errorf("restore terminal: %w", err)
		}
	})
	return t.err
}

// Type sends what is typed on stdin to the guest until stdin ends. On a
// terminal EscapeKey is the user's.
func (vm *VM) Type(stdin *os.File, t *Terminal) {
	buf := make([]byte, 4096)
	for {
		n, err := stdin.Read(buf)
		keys := buf[:n]
		for t != nil && len(keys) > 0 {
			i := bytes.IndexByte(keys, EscapeKey)
			if i < 0 {
				break
			}
			if !vm.typed(keys[:i]) {
				return
			}
			vm.PowerOff()
			keys = keys[i+1:]
		}
		if !vm.typed(keys) || err != nil {
			return
		}
	}
}

// typed is false once nobody is left to type to.
func (vm *VM) typed(keys []byte) bool {
	if len(keys) == 0 {
		return true
	}
	_, err := vm.Write(keys)
	return err == nil
}

// Obey lets signals end the machine until the returned function is called: the
// first asks the guest to power off, the second ends it at once. SIGQUIT ends
// it at once, for Go's own answer would leave a terminal raw.
func (vm *VM) Obey(note func(string)) (stop func()) {
	signals, done := make(chan os.Signal, 4), make(chan struct{})
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	go func() {
		for {
			select {
			case s := <-signals:
				if s == syscall.SIGQUIT {
					vm.Kill()
					continue
				}
				note(s.String() + ": asking the guest to power off; once more ends it at once")
				vm.PowerOff()
			case <-done:
				return
			}
		}
	}()
	return func() {
		signal.Stop(signals)
		close(done)
	}
}
