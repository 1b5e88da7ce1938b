// Package input opens what people give the builder by name: their YAML, images,
// files to copy, credentials. What lies there may be a FIFO that nobody writes to, a
// socket, a device, or a file that the kernel makes up as it is read (/proc/kmsg), which
// to open or to read would hold up a build for ever: it is refused before. Used by all of
// the host's half that reads such files.
package input

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// Open opens a regular file. The error names it and what it is instead; a file that is
// not there is os.ErrNotExist.
func Open(name string) (*os.File, error) { return open(name, false) }

// Stream opens a regular file, or a pipe that some process holds out as its
// descriptor, as a shell does for <(command).
func Stream(name string) (*os.File, error) {
	if name == "/dev/stdin" {
		return os.Stdin, nil // which may be what has no second opening: a socket
	}
	return open(name, true)
}

// Read reads a regular file of at most so many bytes.
func Read(name string, most int64) ([]byte, error) { return read(Open, name, most) }

// ReadStream reads what Stream opens, of at most so many bytes.
func ReadStream(name string, most int64) ([]byte, error) { return read(Stream, name, most) }

func read(open func(string) (*os.File, error), name string, most int64) ([]byte, error) {
	f, err := open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > most {
		return nil, fmt.Errorf("%s: more than the %d bytes that it may have", name, most)
	}
	return data, nil
}

// Check tells whether there is something of the name that is no regular file.
func Check(name string) error {
	info, err := os.Stat(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return refuse(name, info.Mode())
}

// open looks before it opens: opening alone has effects on some devices.
func open(name string, pipes bool) (*os.File, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errors.Unwrap(err)}
	}
	if err := refuse(name, info.Mode()); err != nil && !(pipes && isPipe(name)) {
		return nil, err
	}
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	// What has taken its place meanwhile is no concern: the names are the user's own.
	return f, nil
}

func refuse(name string, mode fs.FileMode) error {
	if !mode.IsRegular() {
		return fmt.Errorf("%s: is %s; want a file", name, kind(mode))
	}
	if fromKernel(name) {
		return fmt.Errorf("%s: what is in it the kernel makes up, perhaps without end, when it is read; want a copy of it in a file", name)
	}
	return nil
}

func kind(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "a directory"
	case mode&fs.ModeNamedPipe != 0:
		return "a FIFO"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	}
	return "a device"
}
