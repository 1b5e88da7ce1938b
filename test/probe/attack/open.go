package attack

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// opens opens a file and closes it again. The null device is a mask.
func opens(path string, flags int) func() error {
	return func() error {
		fd, err := unix.Open(path, flags|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		var info unix.Stat_t
		if err := unix.Fstat(fd, &info); err != nil {
			return err
		}
		if info.Rdev == unix.Mkdev(1, 3) {
			return masked
		}
		return nil
	}
}

// writable opens for writing and writes nothing.
func writable(path string) func() error { return opens(path, unix.O_WRONLY) }

// rewrites reads a setting and writes the same back.
func rewrites(path string) func() error {
	return func() error {
		value, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return writeTo(path, chosen(value))
	}
}

// chosen is the choice of a list like "always [madvise] never", or else all.
func chosen(value []byte) []byte {
	if _, rest, ok := bytes.Cut(value, []byte("[")); ok {
		value, _, _ = bytes.Cut(rest, []byte("]"))
	}
	return bytes.TrimSpace(value)
}

// writeTo writes to a file that is there, in one call.
func writeTo(path string, value []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(value)
	return errors.Join(err, f.Close())
}

// reads reads something of a file. A mask over it is the null device or an empty
// directory, and reads well.
func reads(path string) func() error {
	return func() error {
		f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return err
		}
		if info.IsDir() {
			_, err = f.ReadDir(1)
		} else {
			_, err = f.Read(make([]byte, 64))
		}
		switch {
		case errors.Is(err, io.EOF):
			return masked
		case errors.Is(err, unix.EAGAIN): // it was opened, and has nothing to say now
			return nil
		}
		return err
	}
}

// says reads the beginning of a file and looks for what tells a secret.
func says(path string, secret func(text string) bool) func() error {
	return func() error {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		text, err := io.ReadAll(io.LimitReader(f, 32<<10)) // some are megabytes
		if err != nil {
			return err
		}
		if !secret(string(text)) {
			return hidden
		}
		return nil
	}
}

// first tries the first file that matches a pattern.
func first(pattern string, try func(path string) func() error) func() error {
	return func() error {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return unix.ENOENT
		}
		return try(found[0])()
	}
}

// any file of a tree that opens for writing will do; skip are directories not to
// look into. If there is none, the error is that of the last one.
func anyWritable(top string, skip func(path string) bool) func() error {
	return func() error {
		errDone, last := errors.New("done"), error(unix.ENOENT)
		err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return nil // gone, or closed to us
			case d.IsDir() && skip(path):
				return filepath.SkipDir
			case !d.Type().IsRegular():
				return nil
			}
			// Who may override permissions can open what takes nothing.
			if info, err := d.Info(); err != nil || info.Mode()&0o222 == 0 {
				return nil
			}
			if err := writable(path)(); err != nil {
				last = err
				return nil
			}
			Detail("%s opens for writing", path)
			return errDone
		})
		if errors.Is(err, errDone) {
			return nil
		}
		return errors.Join(err, last)
	}
}

func nowhere(string) bool { return false }

// below tells whether a path has one of these names right below a directory.
func below(top string, isName func(string) bool) func(string) bool {
	return func(path string) bool {
		rest, ok := strings.CutPrefix(path, top+"/")
		return ok && isName(rest)
	}
}

func among(names ...string) func(string) bool {
	return func(name string) bool { return slices.Contains(names, name) }
}
