package guest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"slipway/pkg/port"
)

// handedOut is what a directory's files are to a host that takes so many bytes.
func handedOut(t *testing.T, dir string, most int64) (files map[string]string, last output, err error) {
	t.Helper()
	files = map[string]string{}
	last = output{most: most, tell: func(m port.Message) error {
		if int64(len(files[m.File.Name])) != m.File.At || len(m.File.Data) > port.FilePiece {
			t.Errorf("%s: %d bytes at %d", m.File.Name, len(m.File.Data), m.File.At)
		}
		files[m.File.Name] += string(m.File.Data)
		return nil
	}}
	last.end = last.end.AddDate(9999, 0, 0)
	err = last.handOut(dir)
	return files, last, err
}

func put(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}

// What is no plain file with a name that can be shown stays in the guest, and keeps
// nobody from handing out the rest.
func TestOutputHostile(t *testing.T) {
	dir := t.TempDir()
	long := string(bytes.Repeat([]byte("0123456789"), 20_000))
	put(t, dir, map[string]string{"a": "one", "sub/deep/b": long, "empty": "", "new\nline": "x", "bell\a/x": "x", strings.Repeat("d/", port.MaxDepth) + "x": "deep"})
	outside := filepath.Join(t.TempDir(), "secret")
	put(t, filepath.Dir(outside), map[string]string{"secret": "secret"})
	for link, to := range map[string]string{"abs": outside, "up": "../../../etc/passwd", "dir": "sub", "loop": "loop", "self": "."} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("unix", filepath.Join(dir, "sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	files, got, err := handedOut(t, dir, 1<<20)
	if err != nil || len(files) != 3 || files["a"] != "one" || files["sub/deep/b"] != long || got.Number != 3 {
		t.Errorf("%d files, %d, %v", len(files), got.Number, err)
	}
	if _, there := files["empty"]; !there {
		t.Error("an empty file is not handed out")
	}
	want := []string{
		`"bell\a": the name cannot be shown as it is`, `"new\nline": the name cannot be shown as it is`,
		"abs: a symbolic link", "dir: a symbolic link", strings.Repeat("d/", port.MaxDepth-1) + "d: it lies too deep",
		"fifo: no regular file", "loop: a symbolic link", "self: a symbolic link", "sock: no regular file", "up: a symbolic link",
	}
	slices.Sort(got.Left)
	slices.Sort(want)
	if !slices.Equal(got.Left, want) {
		t.Errorf("left out: %q, want %q", got.Left, want)
	}
}

// Too much is told before anything is sent.
func TestOutputTooMuch(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, map[string]string{"a": "one", "b": "two"})
	if files, _, err := handedOut(t, dir, 6); err != nil || len(files) != 2 {
		t.Errorf("%q, %v", files, err)
	}
	if files, _, err := handedOut(t, dir, 5); err == nil || len(files) != 0 || !strings.Contains(err.Error(), "b and what is beside it are more than 5 bytes") {
		t.Errorf("%q, %v", files, err)
	}
	// A file with a hole has no end that is worth waiting for.
	if err := os.Truncate(filepath.Join(dir, "a"), 1<<40); err != nil {
		t.Fatal(err)
	}
	if files, _, err := handedOut(t, dir, 1<<30); err == nil || len(files) != 0 {
		t.Errorf("%q, %v", files, err)
	}
	many := t.TempDir()
	for i := range port.MaxFiles + 1 {
		put(t, many, map[string]string{fmt.Sprint(i): ""})
	}
	if files, _, err := handedOut(t, many, 1<<30); err == nil || len(files) != 0 {
		t.Errorf("%d files, %v", len(files), err)
	}
	links := t.TempDir()
	for i := range 3 * mostLeft {
		if err := os.Symlink("x", filepath.Join(links, fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	if _, got, err := handedOut(t, links, 1); err != nil || len(got.Left) != mostLeft+1 {
		t.Errorf("%q, %v", got.Left, err)
	}
}

// What a container does while files are read costs the file that it does it to, and no wait;
// only too much is a fault.
func TestOutputChanging(t *testing.T) {
	for what, change := range map[string]func(name string) error{
		"it changed while it was read":      func(name string) error { return os.Truncate(name, 10) },
		"it was replaced while it was read": func(name string) error { return errors.Join(os.Remove(name), unix.Mkfifo(name, 0o600)) },
		"it has more than":                  func(name string) error { return os.Truncate(name, 1<<40) },
		"no such file":                      os.Remove,
		"escapes":                           func(name string) error { return errors.Join(os.Remove(name), os.Symlink("/etc/passwd", name)) },
		"temporarily unavailable":           lease,
	} {
		dir := t.TempDir()
		put(t, dir, map[string]string{"a": strings.Repeat("x", 3*port.FilePiece), "b": strings.Repeat("x", 3*port.FilePiece), "c": "last"})
		o := output{most: 1 << 30}
		o.end = o.end.AddDate(9999, 0, 0)
		file := filepath.Join(dir, "b")
		if what == "it changed while it was read" {
			file = filepath.Join(dir, "a")
		}
		last := ""
		o.tell = func(m port.Message) error {
			last = m.File.Name
			if m.File.Name == "a" && m.File.At == 0 {
				return change(file)
			}
			return nil
		}
		err := o.handOut(dir)
		if what == "it has more than" {
			if err == nil || !strings.Contains(err.Error(), what) {
				t.Errorf("%s: %v", what, err)
			}
			continue
		}
		if err != nil || !strings.Contains(o.Fault, what) || last != "c" || o.Number != 2 {
			t.Errorf("%s: %v, %d files, fault %q, the last is %s", what, err, o.Number, o.Fault, last)
		}
	}
}

// lease has the kernel ask this process before somebody opens the file.
func lease(name string) error {
	fd, err := unix.Open(name, unix.O_RDWR, 0)
	if err != nil {
		return err
	}
	_, err = unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_WRLCK)
	return err
}

// A pipe in the place of a directory has nobody who writes to it.
func TestOutputPipeForDirectory(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	o := output{root: root}
	if err := o.collect("pipe", 1); err != nil || o.Fault != "pipe: not a directory" {
		t.Errorf("%v, %q", err, o.Fault)
	}
}

func TestWantsOutput(t *testing.T) {
	p := Default()
	p.Run = t.TempDir()
	if err := os.MkdirAll(p.RunDir(), 0o755); err != nil {
		t.Fatal(err)
	}
	g := &Guest{Paths: p}
	if got := g.WantsOutput(); got != 0 {
		t.Errorf("nobody asked, and %d", got)
	}
	g.noteRequest(&port.Request{Output: 5 << 30})
	if got := (&Guest{Paths: p}).WantsOutput(); got != 5<<30 {
		t.Errorf("%d", got)
	}
	g.TellOutput() // to no host
}
