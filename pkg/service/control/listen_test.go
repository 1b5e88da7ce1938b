package control

import (
	"errors"
	"io/fs"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"slipway/test/skip"
)

// shelf keeps files as the supervisor's parent does.
type shelf map[string]int

func (s shelf) HoldFd(name string, fd int) (err error) {
	s[name], err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	return err
}

func (s shelf) Take(name string) (*os.File, error) {
	if _, has := s[name]; !has {
		return nil, fs.ErrNotExist
	}
	fd, err := unix.FcntlInt(uintptr(s[name]), unix.F_DUPFD_CLOEXEC, 0)
	return os.NewFile(uintptr(fd), name), err
}

// A supervisor that is killed leaves its socket to the next: it is the same one,
// and who asked meanwhile is answered.
func TestSocketOutlivesItsServer(t *testing.T) {
	skip.UnlessRoot(t, "the socket answers nobody else")
	path, keep := t.TempDir()+"/control.sock", shelf{}
	first, err := Listen(path, &fake{}, keep)
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.sock.Close(); err != nil { // as it is when its process is killed
		t.Fatal(err)
	}
	c := Client{Path: path}
	asked := make(chan error, 1)
	go func() { asked <- c.Services(&List{}) }()
	second, err := Listen(path, &fake{}, keep)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- second.Serve() }()
	if err := <-asked; err != nil {
		t.Errorf("who asked in between: %v", err)
	}
	if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) || after.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", after, err)
	}
	if pid, err := c.Peer(); err != nil || pid != os.Getpid() {
		t.Errorf("behind the socket is %d, %v", pid, err)
	}
	if err := errors.Join(second.Close(), <-served); err != nil {
		t.Fatal(err)
	}
	if err := c.Services(&List{}); !errors.Is(err, ErrNoSupervisor) {
		t.Errorf("after the end: %v", err)
	}
	// A name that somebody has removed is made again.
	third, err := Listen(path, &fake{}, keep)
	if err != nil {
		t.Fatal(err)
	}
	if err := third.Close(); err != nil {
		t.Error(err)
	}
}
