// Package mount is the one place of the guest that calls mount(2) and
// umount(2). Mounts are values that are planned first and print as the
// mount(8) line one could type; errors carry everything the call was given;
// the table of what is mounted comes from mountinfo.
package mount

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// Mount is one mount(2) call.
type Mount struct {
	Source string
	Target string
	Type   string
	Flags  uintptr // MS_*; propagation flags stand alone
	Data   []string
}

// Error is a mount or unmount that failed.
type Error struct {
	Op string // "mount" or "unmount"
	Mount
	Err error
}

func (e *Error) Error() string {
	what := e.Target
	switch {
	case e.Op == "unmount":
		return fmt.Sprintf("unmount %s: %s", what, explain(e))
	case e.Flags&unix.MS_BIND != 0 && e.Flags&unix.MS_REMOUNT == 0:
		what = e.Source + " on " + e.Target
	case e.Type != "":
		what = e.Type + " on " + e.Target
	}
	return fmt.Sprintf("mount %s: %s (%s)", what, explain(e), e.Mount)
}

func (e *Error) Unwrap() error { return e.Err }

// explain says what an errno means here where the kernel's own word misleads.
func explain(e *Error) string {
	text := e.Err.Error()
	switch {
	case e.Op == "mount" && errors.Is(e.Err, unix.ENODEV) && e.Type != "":
		return fmt.Sprintf("the kernel has no %s filesystem: %s", e.Type, text)
	case e.Op == "mount" && errors.Is(e.Err, unix.ENOENT) && e.Flags&unix.MS_BIND != 0:
		return "no such source: " + text
	case e.Op == "mount" && errors.Is(e.Err, unix.EINVAL) && len(e.Data) > 0:
		return "a wrong option, or an unfit directory: " + text
	case errors.Is(e.Err, unix.ENOTBLK):
		return "the source is no block device: " + text
	}
	return text
}

// Do makes the mount.
func (m Mount) Do() error { return m.DoAt(m.Source, m.Target, m.Data) }

// DoAt makes the mount with source, target and options resolved to something
// else, such as /proc/self/fd/N; errors speak of the names in m.
func (m Mount) DoAt(source, target string, data []string) error {
	err := unix.Mount(source, target, m.Type, m.Flags, strings.Join(data, ","))
	if err != nil {
		return &Error{Op: "mount", Mount: m, Err: err}
	}
	return nil
}

// Unmount takes away the topmost mount on target. No component of target may
// be a symbolic link: a container that can write to the directories above it could
// point them elsewhere. Flags are those of umount2(2).
func Unmount(target string, flags int) error {
	err := atParent(target, func(_ *Dir, proc string) error {
		return unix.Unmount(proc, flags|unix.UMOUNT_NOFOLLOW)
	})
	if err != nil {
		return &Error{Op: "unmount", Mount: Mount{Target: target}, Err: err}
	}
	return nil
}

// Rmdir removes an empty directory, with as little trust in the directories above it.
func Rmdir(name string) error {
	err := atParent(name, func(parent *Dir, _ string) error {
		return unix.Unlinkat(parent.fd, path.Base(name), unix.AT_REMOVEDIR)
	})
	if err != nil {
		return fmt.Errorf("rmdir %s: %w", name, err)
	}
	return nil
}

// atParent holds the directory that name is in, rather than name itself: a mount
// with an open fd is busy.
func atParent(name string, do func(parent *Dir, proc string) error) error {
	name = path.Clean(name)
	root, err := OpenDir("/")
	if err != nil {
		return err
	}
	parent, err := root.Strict(path.Dir(name), 0)
	if err != nil {
		return closing(root, err)
	}
	err = do(parent, parent.Proc()+"/"+path.Base(name))
	return closing(root, closing(parent, err))
}

// String is the mount(8) line that does the same.
func (m Mount) String() string {
	line := []string{"mount"}
	if verb := propagationVerb(m.Flags); verb != "" {
		return strings.Join(append(line, "--make-"+verb, quote(m.Target)), " ")
	}
	if m.Flags&unix.MS_REMOUNT == 0 {
		switch {
		case m.Flags&unix.MS_BIND != 0 && m.Flags&unix.MS_REC != 0:
			line = append(line, "--rbind")
		case m.Flags&unix.MS_BIND != 0:
			line = append(line, "--bind")
		case m.Type != "":
			line = append(line, "-t", m.Type)
		}
	}
	if options := append(m.flagNames(), m.Data...); len(options) > 0 {
		line = append(line, "-o", quote(strings.Join(options, ",")))
	}
	if m.Flags&unix.MS_REMOUNT == 0 {
		line = append(line, quote(m.source()))
	}
	return strings.Join(append(line, quote(m.Target)), " ")
}

// source stands in for a missing one, which mount(8) cannot leave out.
func (m Mount) source() string {
	if m.Source == "" {
		return "none"
	}
	return m.Source
}

func quote(word string) string {
	if strings.ContainsAny(word, " \t\n\\'\"$`*?[]&;|<>(){}#~") {
		return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	return word
}
