package mount

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Dir is a directory held open by O_PATH, so that what its name means cannot
// change between check and use.
type Dir struct {
	fd   int
	name string // for errors
}

// OpenDir opens a directory by a name that is trusted: links are followed.
func OpenDir(name string) (*Dir, error) {
	fd, err := unix.Open(name, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return &Dir{fd, name}, nil
}

// Close gives the directory up.
func (d *Dir) Close() error { return os.NewSyscallError("close", unix.Close(d.fd)) }

// Proc is a path that the kernel takes for this very directory.
func (d *Dir) Proc() string { return "/proc/self/fd/" + strconv.Itoa(d.fd) }

// Real is the directory's path without links, as it is now.
func (d *Dir) Real() (string, error) { return os.Readlink(d.Proc()) }

// Strict opens what lies below d and refuses any symbolic link on the way.
func (d *Dir) Strict(name string, flags uint64) (*Dir, error) {
	return d.open(name, flags|unix.O_DIRECTORY, unix.RESOLVE_NO_SYMLINKS|unix.RESOLVE_BENEATH)
}

// InRoot opens what a process whose root is d would find: links are followed
// but never lead out.
func (d *Dir) InRoot(name string, flags uint64) (*Dir, error) {
	return d.open(name, flags, unix.RESOLVE_IN_ROOT|unix.RESOLVE_NO_MAGICLINKS)
}

// lookups bounds the retries of a lookup that raced with a rename or a mount.
const lookups = 64

func (d *Dir) open(name string, flags, resolve uint64) (*Dir, error) {
	how := unix.OpenHow{Flags: flags | unix.O_PATH | unix.O_CLOEXEC, Resolve: resolve}
	rel := cmp.Or(strings.TrimPrefix(path.Clean("/"+name), "/"), ".")
	var err error
	for range lookups {
		var fd int
		if fd, err = unix.Openat2(d.fd, rel, &how); err == nil {
			return &Dir{fd, path.Join(d.name, name)}, nil
		}
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if errors.Is(err, unix.ELOOP) {
		err = fmt.Errorf("a symbolic link where none may be: %w", err)
	}
	return nil, &os.PathError{Op: "open", Path: path.Join(d.name, name), Err: err}
}

// MkdirAll makes the directories of name below d, as a process whose root is d
// would, and opens the last. made lists what was not there, outermost first,
// as paths without links.
func (d *Dir) MkdirAll(name string, mode uint32) (leaf *Dir, made []string, err error) {
	leaf, err = d.InRoot(name, unix.O_DIRECTORY)
	if !errors.Is(err, unix.ENOENT) {
		return leaf, nil, err
	}
	clean := path.Clean("/" + name)
	parent, made, err := d.MkdirAll(path.Dir(clean), mode)
	if err != nil {
		return nil, made, err
	}
	leaf, isNew, err := parent.mkdir(path.Base(clean), mode)
	if err == nil && isNew {
		var real string
		if real, err = leaf.Real(); err == nil {
			made = append(made, real)
		} else {
			err = errors.Join(err, leaf.Close())
		}
	}
	return leaf, made, closing(parent, err)
}

// mkdir makes one directory directly below d; a link in its place is refused.
func (d *Dir) mkdir(base string, mode uint32) (leaf *Dir, isNew bool, err error) {
	err = unix.Mkdirat(d.fd, base, mode)
	isNew = err == nil
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return nil, false, &os.PathError{Op: "mkdir", Path: path.Join(d.name, base), Err: err}
	}
	leaf, err = d.Strict(base, 0)
	return leaf, isNew, err
}
