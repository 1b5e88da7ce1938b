package input

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestOpen refuses at once what would hold up its reader: a test that fails here
// hangs.
func TestOpen(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(unix.Mkfifo(in("fifo"), 0o600), os.Symlink("fifo", in("link")), os.Symlink("nowhere", in("dangling")), os.Symlink("/proc/kmsg", in("kmsg")), os.WriteFile(in("file"), []byte("text"), 0o600)); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", in("socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for name, want := range map[string]string{
		in("fifo"): "is a FIFO", in("link"): "is a FIFO", in("socket"): "is a socket", "/dev/zero": "is a device", "/dev/full": "is a device",
		"/proc/kmsg": "what is in it the kernel makes up", "/proc/self/status": "what is in it the kernel makes up", "/sys/kernel/uevent_seqnum": "what is in it the kernel makes up",
		in("kmsg"): "what is in it the kernel makes up", "/proc/self/ns/net": "what is in it the kernel makes up",
		dir: "is a directory", in("dangling"): "no such file", in("none"): "no such file", in("file") + "/x": "not a directory", in("file"): "",
	} {
		_, readErr := Read(name, 10)
		_, openErr := Open(name)
		_, streamErr := Stream(name)
		for _, err := range []error{readErr, openErr, streamErr} {
			if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), name+": "+want) {
				t.Errorf("%s: %v, want %q", name, err, want)
			}
			if strings.HasPrefix(want, "no such") && !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s: %v is not ErrNotExist", name, err)
			}
		}
		if err := Check(name); (err == nil) != (want == "" || strings.HasPrefix(want, "no such")) {
			t.Errorf("check %s: %v", name, err)
		}
	}
	if data, err := Read(in("file"), 4); string(data) != "text" || err != nil {
		t.Errorf("%q, %v", data, err)
	}
	if _, err := Read(in("file"), 3); err == nil || !strings.Contains(err.Error(), "more than the 3 bytes") {
		t.Error(err)
	}
}

// TestStream takes a pipe by its descriptor, as of <(command), and standard input.
func TestStream(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	name := fmt.Sprintf("/dev/fd/%d", r.Fd())
	if _, err := Open(name); err == nil || !strings.Contains(err.Error(), "is a FIFO") {
		t.Errorf("opened as a file: %v", err)
	}
	f, err := Stream(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := w.WriteString("text"); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if data, err := io.ReadAll(f); string(data) != "text" || err != nil {
		t.Errorf("%q, %v", data, err)
	}
	if f, err := Stream("/dev/stdin"); f != os.Stdin || err != nil {
		t.Error(err)
	}
}
