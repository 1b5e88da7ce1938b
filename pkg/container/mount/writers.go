package mount

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Writer is a container that may write a directory of the machine.
type Writer struct {
	Dir  string // absolute
	Deep bool   // what is mounted below it too
	Name string // for errors
}

// Writers are all containers that may write directories of the machine. Each of them can
// put a symbolic link wherever it writes, and so point a path of the machine somewhere
// else, which a start would follow as root. So a link that one could have made leads
// only to what that one may write anyway.
type Writers []Writer

// ErrLedOut is the error about a link that leads out of what its maker may write.
var ErrLedOut = errors.New("a link in a directory that a container may write leads out of it")

// Found is what a path of the machine leads to.
type Found struct {
	*Dir
	// Loose tells that a container could make the path lead elsewhere at any moment: it
	// is to be used by the Dir alone.
	Loose bool
}

// Real gives the directories their paths without links. Those in another's are taken as
// they are named: what they lead to now, the other could have chosen.
func (w Writers) Real() (Writers, error) {
	w = slices.Clone(w)
	slices.SortStableFunc(w, func(a, b Writer) int { return len(a.Dir) - len(b.Dir) })
	var real Writers
	for _, one := range w {
		one.Dir = path.Clean(one.Dir)
		outer := slices.IndexFunc(w[:len(real)], func(o Writer) bool { return strictlyBelow(one.Dir, path.Clean(o.Dir)) })
		if outer >= 0 {
			one.Dir = path.Join(real[outer].Dir, strings.TrimPrefix(one.Dir, path.Clean(w[outer].Dir)))
		} else if err := one.resolve(); err != nil {
			return nil, err
		}
		real = append(real, one)
	}
	return real, nil
}

// resolve leaves a path that leads nowhere as it is.
func (w *Writer) resolve() error {
	fd, err := unix.Open(w.Dir, unix.O_PATH|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	if err != nil {
		return &os.PathError{Op: "open", Path: w.Dir, Err: err}
	}
	d := &Dir{fd, w.Dir}
	w.Dir, err = d.Real()
	return closing(d, err)
}

func strictlyBelow(name, dir string) bool { return name != dir && Below(name, dir) }

// covers tells whether somebody may change what name, a path without links, is.
func (w Writers) covers(name string) bool {
	return slices.ContainsFunc(w, func(one Writer) bool { return strictlyBelow(name, one.Dir) })
}

// Open opens what a path of the machine leads to, whatever it is. Loose is told with an
// error too.
func (w Writers) Open(name string) (Found, error) {
	root, err := OpenDir("/")
	if err != nil {
		return Found{}, err
	}
	name = path.Clean("/" + name)
	d, err := root.open(name, 0, unix.RESOLVE_NO_SYMLINKS)
	if !errors.Is(err, unix.ELOOP) {
		return Found{d, w.covers(name)}, closing(root, err)
	}
	l := lookup{writers: w, name: name, root: root, at: &Dir{-1, "/"}}
	err = l.run(name)
	found := Found{Loose: l.loose}
	if err == nil {
		found.Dir = l.at
	} else {
		err = closing(l.at, &os.PathError{Op: "open", Path: name, Err: err})
	}
	return found, closing(root, err)
}

// Make opens what is there, or the directory that it makes there, whose parents' links
// count as they do to Open. made is as MkdirAll has it.
func (w Writers) Make(name string, mode uint32) (d *Dir, made []string, err error) {
	found, err := w.Open(name)
	if !errors.Is(err, unix.ENOENT) {
		return found.Dir, nil, err
	}
	name = path.Clean("/" + name)
	parent, made, err := w.Make(path.Dir(name), mode)
	if err != nil {
		return nil, made, err
	}
	d, made, err = parent.make(path.Base(name), mode, made)
	return d, made, closing(parent, err)
}

// lookup goes a path component by component, as openat2(2) offers no rule by which some
// links are followed and others are not.
type lookup struct {
	writers Writers
	name    string
	root    *Dir
	at      *Dir
	links   int
	bounds  []Writer // who may have made a link on the way
	loose   bool
}

// maxLinks is the kernel's own bound, MAXSYMLINKS.
const maxLinks = 40

func (l *lookup) run(name string) error {
	left, err := l.from("/", name)
	for err == nil && len(left) > 0 {
		next := left[0]
		left = left[1:]
		if next == "" || next == "." {
			continue
		}
		var target string
		if target, err = l.step(next); err == nil && target != "" {
			rest := left
			left, err = l.from(target, target)
			left = append(left, rest...)
		}
	}
	if err != nil {
		return err
	}
	return l.check()
}

// from splits a path, and goes to the root for an absolute one.
func (l *lookup) from(where, name string) ([]string, error) {
	if strings.HasPrefix(where, "/") {
		root, err := l.root.open(".", 0, 0)
		if err != nil {
			return nil, err
		}
		l.set(root)
	}
	return strings.Split(name, "/"), nil
}

func (l *lookup) set(d *Dir) {
	if l.at.fd >= 0 {
		_ = l.at.Close() // it is O_PATH: there is nothing to lose
	}
	l.at = d
}

// step goes one component on, or tells where the link in its place leads.
func (l *lookup) step(name string) (target string, err error) {
	here, err := l.at.Real()
	if err != nil {
		return "", err
	}
	full := path.Join(here, name)
	l.loose = l.loose || l.writers.covers(full)
	fd, err := unix.Openat(l.at.fd, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	next := &Dir{fd, full}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return "", closing(next, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFLNK {
		l.set(next)
		return "", nil
	}
	return l.follow(next, here, name)
}

func (l *lookup) follow(link *Dir, here, name string) (target string, err error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(link.fd, "", buf)
	if err = closing(link, err); err != nil {
		return "", err
	}
	target = string(buf[:n])
	if l.links++; l.links > maxLinks {
		return "", unix.ELOOP
	}
	var st unix.Statfs_t
	if err := unix.Fstatfs(l.at.fd, &st); err != nil {
		return "", err
	}
	if st.Type == unix.PROC_SUPER_MAGIC {
		return "", l.jump(name)
	}
	if link.name == "/var/run" && target == "/run" {
		return target, nil // the boot makes this one
	}
	return target, l.bind(here)
}

// bind has the way end in what those may write who may have made a link in here. In a
// file system that is read-only, as an image's own, nobody has.
func (l *lookup) bind(here string) error {
	var may Writers
	for _, w := range l.writers {
		if Below(here, w.Dir) {
			may = append(may, w)
		}
	}
	if len(may) == 0 {
		return nil
	}
	table, err := Table()
	if err != nil {
		return err
	}
	id, err := l.at.mountID()
	if err != nil {
		return err
	}
	readOnly := slices.ContainsFunc(table, func(e Entry) bool {
		return uint64(e.ID) == id && (e.Super == "ro" || strings.HasPrefix(e.Super, "ro,"))
	})
	if !readOnly {
		l.bounds = append(l.bounds, may...)
	}
	return nil
}

// mountID is the number of its mount in the table; 0 before Linux 5.8.
func (d *Dir) mountID() (uint64, error) {
	var st unix.Statx_t
	err := unix.Statx(d.fd, "", unix.AT_EMPTY_PATH, unix.STATX_MNT_ID, &st)
	return st.Mnt_id, os.NewSyscallError("statx", err)
}

// jump follows a link of /proc, whose text is not where it leads. What a link that a
// container may have made leads to by this way has no path that could be checked.
func (l *lookup) jump(name string) error {
	if len(l.bounds) > 0 {
		return l.ledOut(l.bounds[0])
	}
	fd, err := unix.Openat(l.at.fd, name, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err == nil {
		l.set(&Dir{fd, path.Join(l.at.name, name)})
	}
	return err
}

// check holds what was found against who may have made links to it.
func (l *lookup) check() error {
	real, err := l.at.Real()
	if err != nil {
		return err
	}
	for _, w := range l.bounds {
		if !Below(real, w.Dir) {
			return l.ledOut(w)
		}
		if w.Deep {
			continue
		}
		same, err := l.sameMount(w.Dir)
		if err != nil {
			return err
		}
		if !same {
			return l.ledOut(w)
		}
	}
	return nil
}

// sameMount tells whether what was found lies on the mount that dir does.
func (l *lookup) sameMount(dir string) (bool, error) {
	d, err := OpenDir(dir)
	if err != nil {
		return false, err
	}
	there, err := d.mountID()
	if err = closing(d, err); err != nil {
		return false, err
	}
	here, err := l.at.mountID()
	return here == there, err
}

func (l *lookup) ledOut(w Writer) error {
	return fmt.Errorf("%w: %s, written by %s", ErrLedOut, w.Dir, w.Name)
}
