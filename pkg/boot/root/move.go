package root

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// mover carries a tree over to another filesystem, file by file.
type mover struct {
	dev   uint64            // the filesystem to stay on
	links map[uint64]string // inode with several names -> its first copy
}

// moveTree moves everything below from to to, which is empty: owner, mode,
// times, extended attributes and hard links are kept, sockets are left out.
// Mounts below from are not entered; their mount points are made.
func moveTree(from, to string) error {
	var st unix.Stat_t
	if err := unix.Lstat(from, &st); err != nil {
		return fmt.Errorf("move %s: %w", from, err)
	}
	m := &mover{dev: st.Dev, links: map[uint64]string{}}
	if err := m.directory(from, to, &st); err != nil {
		return fmt.Errorf("move files to %s: %w", to, err)
	}
	return nil
}

// directory moves the entries first and sets the directory's own attributes last,
// because moving something in changes its times.
func (m *mover) directory(from, to string, st *unix.Stat_t) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := m.entry(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
			return err
		}
	}
	return attributes(from, to, st)
}

func (m *mover) entry(from, to string) error {
	var st unix.Stat_t
	if err := unix.Lstat(from, &st); err != nil {
		return fmt.Errorf("stat %s: %w", from, err)
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return m.subdirectory(from, to, &st)
	}
	if first, ok := m.links[st.Ino]; ok {
		if err := os.Link(first, to); err != nil {
			return err
		}
		return os.Remove(from)
	}
	made, err := m.make(from, to, &st)
	if err != nil {
		return err
	}
	if made {
		if err := attributes(from, to, &st); err != nil {
			return err
		}
		if st.Nlink > 1 {
			m.links[st.Ino] = to
		}
	}
	return os.Remove(from)
}

func (m *mover) subdirectory(from, to string, st *unix.Stat_t) error {
	if st.Dev != m.dev {
		// A mount, if only the one that everything moves to.
		return os.Mkdir(to, 0o755)
	}
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	if err := m.directory(from, to, st); err != nil {
		return err
	}
	err := os.Remove(from)
	if errors.Is(err, unix.EBUSY) || errors.Is(err, unix.ENOTEMPTY) {
		// A mount point below it.
		return nil
	}
	return err
}

// make makes the copy without its attributes; false if the kind of file cannot
// or need not be copied.
func (m *mover) make(from, to string, st *unix.Stat_t) (bool, error) {
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return true, content(from, to)
	case unix.S_IFLNK:
		target, err := os.Readlink(from)
		if err != nil {
			return false, err
		}
		return true, os.Symlink(target, to)
	case unix.S_IFCHR, unix.S_IFBLK, unix.S_IFIFO:
		if err := unix.Mknod(to, st.Mode, int(st.Rdev)); err != nil {
			return false, fmt.Errorf("make node %s: %w", to, err)
		}
		return true, nil
	}
	// A socket without its process is of no use to anybody.
	fmt.Fprintf(os.Stderr, "slipway: root: socket %s is left out\n", from)
	return false, nil
}

func content(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// attributes copies owner, extended attributes, mode and times. The owner comes
// first: changing it clears set-id bits and file capabilities.
func attributes(from, to string, st *unix.Stat_t) error {
	if err := unix.Lchown(to, int(st.Uid), int(st.Gid)); err != nil {
		return fmt.Errorf("chown %s: %w", to, err)
	}
	if err := xattrs(from, to); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFLNK {
		if err := unix.Chmod(to, st.Mode&0o7777); err != nil {
			return fmt.Errorf("chmod %s: %w", to, err)
		}
	}
	times := []unix.Timespec{st.Atim, st.Mtim}
	if err := unix.UtimesNanoAt(unix.AT_FDCWD, to, times, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("set times of %s: %w", to, err)
	}
	return nil
}

// xattrs copies extended attributes as far as both filesystems have them.
func xattrs(from, to string) error {
	names := make([]byte, 4096)
	n, err := unix.Llistxattr(from, names)
	if errors.Is(err, unix.ENOTSUP) || n == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list attributes of %s: %w", from, err)
	}
	value := make([]byte, 64<<10)
	for name := range strings.SplitSeq(strings.Trim(string(names[:n]), "\x00"), "\x00") {
		size, err := unix.Lgetxattr(from, name, value)
		if err == nil {
			err = unix.Lsetxattr(to, name, value[:size], 0)
		}
		if err != nil && !errors.Is(err, unix.ENOTSUP) {
			return fmt.Errorf("copy attribute %s of %s: %w", name, from, err)
		}
	}
	return nil
}
