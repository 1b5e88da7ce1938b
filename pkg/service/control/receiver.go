package control

import (
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// maxFiles is how many open files may come with a request: a program's streams.
const maxFiles = 3

// receiver reads a connection and keeps the open files that come along. More
// than maxFiles are closed by the kernel or here.
type receiver struct {
	conn  *net.UnixConn
	files []*os.File
}

func (r *receiver) Read(p []byte) (int, error) {
	oob := make([]byte, unix.CmsgSpace(4*maxFiles))
	n, used, _, _, err := r.conn.ReadMsgUnix(p, oob)
	if n, used = max(n, 0), max(used, 0); n == 0 && err == nil {
		err = io.EOF
	}
	for _, fd := range descriptors(oob[:used]) {
		f := os.NewFile(uintptr(fd), "stream")
		if len(r.files) < maxFiles {
			r.files = append(r.files, f)
			continue
		}
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}
	return n, err
}

func descriptors(oob []byte) []int {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	var all []int
	for i := range messages {
		if fds, err := unix.ParseUnixRights(&messages[i]); err == nil {
			all = append(all, fds...)
		}
	}
	return all
}

// close gives back what came: a program that was started has copies.
func (r *receiver) close() {
	for _, f := range r.files {
		f.Close()
	}
	r.files = nil
}
