package control

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"slipway/pkg/reap"
	"slipway/test/poll"
)

// local is a program of this machine, in place of one in a container.
type local struct {
	cmd  *exec.Cmd
	done chan struct{}
}

func (f *fake) Exec(_ context.Context, name string, p Program) (Session, error) {
	if p.Args[0] == "refused" {
		return nil, errors.New(name + " does not run")
	}
	l := &local{exec.Command(p.Args[0], p.Args[1:]...), make(chan struct{})}
	l.cmd.Stdin, l.cmd.Stdout, l.cmd.Stderr = p.Files[0], p.Files[1], p.Files[2]
	l.cmd.Env = p.Env
	if err := l.cmd.Start(); err != nil {
		return nil, err
	}
	f.started.Store(int64(l.cmd.Process.Pid))
	go func() {
		defer close(l.done)
		if err := l.cmd.Wait(); err != nil {
			return // its status says so
		}
	}()
	return l, nil
}

func (l *local) Ident() reap.Ident            { return reap.Ident{Pid: l.cmd.Process.Pid, Start: 1} }
func (l *local) Signal(sig unix.Signal) error { return l.cmd.Process.Signal(sig) }
func (l *local) Kill() error                  { return l.cmd.Process.Kill() }

func (l *local) Reason() string {
	if l.cmd.ProcessState.ExitCode() == 127 {
		return "no such program"
	}
	return ""
}

func (l *local) Wait(ctx context.Context) (reap.Status, error) {
	select {
	case <-l.done:
	case <-ctx.Done():
		return reap.Status{}, ctx.Err()
	}
	s := l.cmd.ProcessState.Sys().(interface {
		ExitStatus() int
		Signaled() bool
	})
	if s.Signaled() {
		return reap.Status{Signal: l.cmd.ProcessState.Sys().(interface{ Signal() unix.Signal }).Signal()}, nil
	}
	return reap.Status{Code: s.ExitStatus()}, nil
}

// streams are a program's, and what it wrote.
func streams(t *testing.T, input string) (files []*os.File, output func() string) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, input); err != nil {
		t.Fatal(err)
	}
	out, err := os.CreateTemp(t.TempDir(), "out")
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(r.Close(), out.Close()); err != nil {
			t.Error(err)
		}
	})
	return []*os.File{r, out, out}, func() string {
		data, err := os.ReadFile(out.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
}

func TestExec(t *testing.T) {
	_, c := serve(t)
	files, output := streams(t, "from here\n")
	long := strings.Repeat("x", 40<<10) // more than one message
	run, err := c.Exec("web", Program{Args: []string{"/bin/sh", "-c", "cat; echo $TERM >&2; echo ${#1}; exit 7", "sh", long}, Env: []string{"TERM=vt100"}, Files: files})
	if err != nil {
		t.Fatal(err)
	}
	status, err := run.Wait()
	if err != nil || status.Code != 7 || output() != "from here\nvt100\n40960\n" {
		t.Errorf("%v, %v, %q", status, err, output())
	}
	if run, err = c.Exec("web", Program{Args: []string{"/bin/sh", "-c", "kill -9 $$"}, Files: files}); err != nil {
		t.Fatal(err)
	}
	if status, err = run.Wait(); err != nil || status.Signal != unix.SIGKILL || run.Reason() != "" {
		t.Errorf("killed: %v, %v", status, err)
	}
	var refused *Refused
	if run, err = c.Exec("web", Program{Args: []string{"/bin/sh", "-c", "exit 127"}, Files: files}); err != nil {
		t.Fatal(err)
	}
	if status, err = run.Wait(); err != nil || status.Code != 127 || run.Reason() != "no such program" {
		t.Errorf("%v, %v, %q", status, err, run.Reason())
	}
	if _, err = c.Exec("web", Program{Args: []string{"refused"}, Files: files}); !errors.As(err, &refused) || refused.Status != 409 {
		t.Errorf("refused: %v", err)
	}
	if _, err = c.Exec("nope", Program{Args: []string{"true"}, Files: files}); !errors.As(err, &refused) || refused.Status != 404 {
		t.Errorf("unknown: %v", err)
	}
}

func TestExecSignals(t *testing.T) {
	_, c := serve(t)
	files, output := streams(t, "")
	run, err := c.Exec("web", Program{Args: []string{"/bin/sh", "-c", "trap 'echo winch' WINCH; trap 'echo term; exit 3' TERM; echo up; while :; do sleep .01; done"}, Files: files})
	if err != nil {
		t.Fatal(err)
	}
	poll.Until(t, "it is up", func() bool { return output() == "up\n" })
	if err := run.Signal(unix.SIGWINCH); err != nil {
		t.Fatal(err)
	}
	poll.Until(t, "the size reaches it", func() bool { return output() == "up\nwinch\n" })
	if err := run.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if status, err := run.Wait(); err != nil || status.Code != 3 {
		t.Errorf("%v, %v, %q", status, err, output())
	}
}

// A client that goes away takes its program with it, and gives its place back.
func TestExecWithoutItsClient(t *testing.T) {
	f, c := serve(t)
	files, _ := streams(t, "")
	for range 2 * maxSessions {
		run, err := c.Exec("web", Program{Args: []string{"/bin/sleep", "1000"}, Files: files})
		if err != nil {
			t.Fatal(err)
		}
		pid := int(f.started.Load())
		if err := run.conn.Close(); err != nil {
			t.Fatal(err)
		}
		poll.Until(t, "its end", func() bool { return errors.Is(unix.Kill(pid, 0), unix.ESRCH) })
	}
}

// So does one that is gone before it has its answer.
func TestExecWhoseClientIsGoneAtOnce(t *testing.T) {
	f, c := serve(t)
	files, _ := streams(t, "")
	p := Program{Args: []string{"/bin/sleep", "1000"}, Files: files}
	text, err := requestText("POST", servicePath("web", "exec"), p)
	if err != nil {
		t.Fatal(err)
	}
	fds := unix.UnixRights(int(files[0].Fd()), int(files[1].Fd()), int(files[2].Fd()))
	for range 2 * maxSessions {
		last := f.started.Load()
		conn, err := c.dial()
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = conn.WriteMsgUnix(text, fds, nil)
		if err := errors.Join(err, conn.Close()); err != nil {
			t.Fatal(err)
		}
		poll.Until(t, "it is started", func() bool { return f.started.Load() != last })
		pid := int(f.started.Load())
		poll.Until(t, "its end", func() bool { return errors.Is(unix.Kill(pid, 0), unix.ESRCH) })
	}
}

// The end of a program's output is seen even while the program runs on.
func TestExecClosesItsCopies(t *testing.T) {
	_, c := serve(t)
	files, _ := streams(t, "")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	run, err := c.Exec("web", Program{Args: []string{"/bin/sh", "-c", "echo all; exec >&-; exec sleep 1000"}, Files: []*os.File{files[0], w, files[2]}})
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	if data, err := io.ReadAll(r); err != nil || string(data) != "all\n" {
		t.Errorf("%q %v", data, err)
	}
	if err := run.Signal(unix.SIGKILL); err != nil {
		t.Error(err)
	}
	if _, err := run.Wait(); err != nil {
		t.Error(err)
	}
}

// Nobody's open files pile up in the supervisor.
func TestFilesAreGivenBack(t *testing.T) {
	_, c := serve(t)
	files, _ := streams(t, "")
	open := func() int {
		all, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	before := open()
	for range 50 {
		conn, err := c.dial()
		if err != nil {
			t.Fatal(err)
		}
		fds := []int{}
		for range 5 {
			fds = append(fds, int(files[0].Fd()))
		}
		if _, _, err := conn.WriteMsgUnix([]byte("GET /v1/services HTTP/1.1\r\n\r\n"), unix.UnixRights(fds...), nil); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(conn); err != nil {
			t.Fatal(err)
		}
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
	poll.Until(t, "all is closed", func() bool { return open() <= before+2 })
}
