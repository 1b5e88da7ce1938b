package boot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// directory is a directory that containers and their binds expect.
type directory struct {
	path string
	mode uint32
}

var varDirectories = []directory{
	{"/var/cache", 0o755}, {"/var/empty", 0o555}, {"/var/lib", 0o755}, {"/var/local", 0o755},
	{"/var/lock", 0o755}, {"/var/log", 0o755}, {"/var/opt", 0o755}, {"/var/spool", 0o755},
	{"/var/tmp", 0o1777},
	// The image's own directory is covered by the tmpfs; getty and sshd bind it.
	{"/var/lib/containerd", 0o755},
}

var devDirectories = []directory{
	{"/dev/mqueue", 0o1777}, {"/dev/shm", 0o1777}, {"/dev/pts", 0o755},
}

// node is a character device that programs expect even where devtmpfs is bare.
type node struct {
	path         string
	major, minor uint32
	mode         uint32
}

var devNodes = []node{
	{"/dev/console", 5, 1, 0o600}, {"/dev/tty1", 4, 1, 0o620}, {"/dev/tty", 5, 0, 0o666},
	{"/dev/null", 1, 3, 0o666}, {"/dev/kmsg", 1, 11, 0o660},
}

// link is a symbolic link.
type link struct{ path, target string }

var (
	varLinks = []link{{"/var/run", "/run"}}
	devLinks = []link{
		{"/dev/fd", "/proc/self/fd"}, {"/dev/stdin", "/proc/self/fd/0"},
		{"/dev/stdout", "/proc/self/fd/1"}, {"/dev/stderr", "/proc/self/fd/2"},
		{"/dev/kcore", "/proc/kcore"},
	}
)

// makeVar fills the empty /var.
func makeVar() error { return errors.Join(makeDirectories(varDirectories), makeLinks(varLinks)) }

// makeDev adds to /dev what devtmpfs does not make.
func makeDev() error {
	return errors.Join(makeNodes(devNodes), makeLinks(devLinks), makeDirectories(devDirectories))
}

func makeDirectories(table []directory) error {
	var errs []error
	for _, f := range table {
		err := os.MkdirAll(f.path, 0o755)
		if err == nil {
			// mkdir(2) obeys the umask and knows no sticky bit here.
			err = unix.Chmod(f.path, f.mode)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("make directory %s: %w", f.path, err))
		}
	}
	return errors.Join(errs...)
}

func makeNodes(table []node) error {
	var errs []error
	for _, n := range table {
		err := unix.Mknod(n.path, unix.S_IFCHR|n.mode, int(unix.Mkdev(n.major, n.minor)))
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err == nil {
			err = unix.Chmod(n.path, n.mode)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("make node %s: %w", n.path, err))
		}
	}
	return errors.Join(errs...)
}

func makeLinks(table []link) error {
	var errs []error
	for _, l := range table {
		err := os.Symlink(l.target, l.path)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			errs = append(errs, fmt.Errorf("make link: %w", err))
		}
	}
	return errors.Join(errs...)
}
