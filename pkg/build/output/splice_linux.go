package output

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// pipeSize is the most that a user without rights gets (/proc/sys/fs/pipe-max-size).
const pipeSize = 1 << 20

// widen makes a pipe hold more, so that its two ends wait for each other less often.
func widen(pipe *os.File) {
	conn, err := pipe.SyscallConn()
	if err != nil {
		return // closed already, which who writes to it is told
	}
	// One that stays as it is serves as well.
	_ = conn.Control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, pipeSize) })
}

// splice hands size bytes of a file to a pipe as the pages that the kernel has of it, and
// tells how many it has handed on: fewer where the file's own system cannot do that.
func splice(pipe, file *os.File, at, size int64) (sent int64, err error) {
	conn, err := pipe.SyscallConn()
	if err != nil {
		return 0, err
	}
	from := int(file.Fd())
	for sent < size && err == nil {
		var n int64
		wrong := conn.Write(func(fd uintptr) bool {
			place := at + sent
			n, err = unix.Splice(from, &place, int(fd), nil, int(min(size-sent, pipeSize)), unix.SPLICE_F_NONBLOCK)
			return !errors.Is(err, unix.EAGAIN)
		})
		switch {
		case wrong != nil:
			err = wrong
		case errors.Is(err, unix.EINTR):
			err = nil
		case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS):
			return sent, nil
		case err == nil && n == 0:
			err = io.ErrUnexpectedEOF
		case err == nil:
			sent += n
		}
	}
	return sent, err
}
