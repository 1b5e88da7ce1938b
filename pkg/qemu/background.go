package qemu

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Background is a machine without a terminal, as others find it: a state directory
// with a lock that lives as long as the process that runs the machine. Who
// holds the lock also keeps there
//
//   - pid: the number of that process
//   - console.sock: the console, for any number of readers
//   - window.sock: where those say how large their windows are
//   - result: how the last run ended
type Background struct {
	dir  string
	made bool // the directory was not there before
	lock *os.File
	hub  *hub
	l    net.Listener
	w    net.Listener // for sizes of windows
}

// ErrNotRunning says that no machine runs in a state directory.
var ErrNotRunning = errors.New("no machine runs in the background")

// EnterBackground takes the state directory for a machine of this process.
func EnterBackground(dir string) (*Background, error) {
	_, err := os.Stat(dir)
	made := errors.Is(err, os.ErrNotExist)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make state directory: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock state directory: %w", err)
	}
	// Refuse removes it: who opened it before has another's.
	if err := sameFile(lock); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", dir, err), lock.Close())
	}
	b := &Background{dir: dir, made: made, lock: lock, hub: newHub()}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: a machine runs there already: %w", dir, err), lock.Close())
	}
	if err := b.prepare(); err != nil {
		return nil, errors.Join(err, b.Refuse())
	}
	return b, nil
}

func (b *Background) prepare() error {
	for _, name := range []string{"result", consoleSocket, windowSocket} {
		if err := os.Remove(filepath.Join(b.dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("clear state directory: %w", err)
		}
	}
	var err error
	if b.l, err = listen(b.dir, consoleSocket); err == nil {
		b.w, err = listen(b.dir, windowSocket)
	}
	if err != nil {
		return fmt.Errorf("share console: %w", err)
	}
	if err := os.WriteFile(filepath.Join(b.dir, "pid"), []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644); err != nil {
		return fmt.Errorf("write pid: %w", err)
	}
	return nil
}

// Console is where the machine's console goes.
func (b *Background) Console() Console { return Console{Output: b.hub} }

// Serve shares the console of vm until Leave.
func (b *Background) Serve(vm *VM) error {
	sizes := make(chan error, 1)
	go func() { sizes <- serveWindows(b.w, vm.Resize) }()
	return errors.Join(b.hub.serve(b.l, vm), <-sizes)
}

// sameFile says whether a file is still what goes by its name.
func sameFile(f *os.File) error {
	have, err := f.Stat()
	if err != nil {
		return err
	}
	named, err := os.Stat(f.Name())
	if err == nil && !os.SameFile(have, named) {
		err = errors.New("it was replaced meanwhile; try again")
	}
	return err
}

// Refuse gives the directory back when there was no run: as it was, and gone if it was not
// there and holds nothing else, such as disks.
func (b *Background) Refuse() error {
	var errs []error
	if b.made {
		errs = append(errs, os.Remove(filepath.Join(b.dir, "lock")))
	}
	errs = append(errs, b.Leave(""))
	if b.made {
		if err := os.Remove(b.dir); !errors.Is(err, unix.ENOTEMPTY) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Leave writes how the run ended and gives the directory back.
func (b *Background) Leave(result string) error {
	var errs []error
	if result != "" {
		errs = append(errs, os.WriteFile(filepath.Join(b.dir, "result"), []byte(result+"\n"), 0o644))
	}
	for _, l := range []net.Listener{b.l, b.w} {
		if l != nil {
			errs = append(errs, l.Close())
		}
	}
	b.hub.close()
	for _, name := range []string{consoleSocket, windowSocket, "pid"} {
		if err := os.Remove(filepath.Join(b.dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, b.lock.Close())...)
}

// StopBackground asks the machine in a state directory to power off, or kills it,
// waits until it is gone, and returns how it ended.
func StopBackground(ctx context.Context, dir string, kill bool) (string, error) {
	pid, err := backgroundPid(dir)
	if err != nil {
		return "", err
	}
	sig := syscall.SIGTERM
	if kill {
		sig = syscall.SIGQUIT
	}
	if err := syscall.Kill(pid, sig); err != nil {
		return "", fmt.Errorf("stop process %d: %w", pid, err)
	}
	for {
		if _, err := backgroundPid(dir); errors.Is(err, ErrNotRunning) {
			break
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("wait for the end of process %d: %w", pid, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
	result, err := os.ReadFile(filepath.Join(dir, "result"))
	if errors.Is(err, os.ErrNotExist) {
		// It was killed, and may have been dead before it was asked.
		return "", fmt.Errorf("%s: %w: process %d has ended without a result", dir, ErrNotRunning, pid)
	}
	return strings.TrimSpace(string(result)), err
}

// backgroundPid is the process that holds the directory's lock. A pid file alone
// proves nothing: its process may be long gone and the number another's.
func backgroundPid(dir string) (int, error) {
	lock, err := os.Open(filepath.Join(dir, "lock"))
	if errors.Is(err, os.ErrNotExist) {
		return 0, fmt.Errorf("%s: %w", dir, ErrNotRunning)
	}
	if err != nil {
		return 0, err
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_SH|unix.LOCK_NB); err == nil {
		return 0, fmt.Errorf("%s: %w", dir, ErrNotRunning)
	}
	data, err := os.ReadFile(filepath.Join(dir, "pid"))
	if err != nil {
		return 0, fmt.Errorf("find the process that runs the machine: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return 0, fmt.Errorf("find the process that runs the machine: %w", err)
	}
	return pid, nil
}

// DialConsole connects to the console of the machine in a state directory.
func DialConsole(dir string) (net.Conn, error) {
	if _, err := backgroundPid(dir); err != nil {
		return nil, err
	}
	return dial(dir, consoleSocket)
}

func dial(dir, name string) (net.Conn, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	conn, err := net.Dial("unix", socketPath(d, name))
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", filepath.Join(dir, name), socketError(err))
	}
	return conn, nil
}

// listen makes a socket, for the user alone.
func listen(dir, name string) (net.Listener, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	l, err := net.Listen("unix", socketPath(d, name))
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", filepath.Join(dir, name), socketError(err))
	}
	// Its path is gone when d is closed: Leave removes the file by its real name.
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := os.Chmod(filepath.Join(dir, name), 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// socketPath goes through a descriptor of the directory: a socket's own path may
// only be 107 bytes long, and a directory's path is as long as the user likes.
func socketPath(d *os.File, name string) string {
	return fmt.Sprintf("/proc/self/fd/%d/%s", d.Fd(), name)
}

// socketError leaves out of a message the addresses, which are that way, or those that a pair of sockets has not.
func socketError(err error) error {
	if of, is := errors.AsType[*net.OpError](err); is {
		return of.Err
	}
	return err
}
