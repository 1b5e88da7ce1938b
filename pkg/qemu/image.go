package qemu

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Boot is what the machine starts from: a kernel with an initrd or a squashfs,
// an ISO, or a disk. Exactly one of Kernel, ISO and Disk is set.
type Boot struct {
	Kernel   string
	Initrd   string
	Squashfs string
	Cmdline  string // text, not a file
	ISO      string
	Disk     string
}

// Resolve finds the files of the image called name, by LinuxKit's rules: a file
// is an ISO or a disk; otherwise NAME-kernel stands beside NAME-squashfs.img or
// NAME-initrd.img, and NAME-cmdline.
func Resolve(name string) (Boot, error) {
	if isFile(name) {
		if strings.HasSuffix(name, ".iso") {
			return Boot{ISO: name}, nil
		}
		return Boot{Disk: name}, nil
	}
	kernel := name + "-kernel"
	if !isFile(kernel) {
		return Boot{}, notFound(name)
	}
	cmdline, err := os.ReadFile(name + "-cmdline")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Boot{}, fmt.Errorf("read kernel command line: %w", err)
	}
	b := Boot{Kernel: kernel, Cmdline: strings.TrimSpace(string(cmdline))}
	if squashfs := name + "-squashfs.img"; isFile(squashfs) {
		b.Squashfs = squashfs
		return b, nil
	}
	b.Initrd = name + "-initrd.img"
	if !isFile(b.Initrd) {
		return Boot{}, fmt.Errorf("image %s: %s is there, but neither %s-initrd.img nor %s-squashfs.img", name, kernel, name, name)
	}
	return b, nil
}

// notFound says what was looked for, and what of that name is there after all.
func notFound(name string) error {
	msg := fmt.Sprintf("image %s: found neither a disk or ISO of that name nor %s-kernel", name, name)
	near, err := filepath.Glob(name + "*")
	if err != nil || len(near) == 0 {
		return errors.New(msg + "; `slipway build` makes one")
	}
	return fmt.Errorf("%s; there is %s", msg, strings.Join(near, ", "))
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && !info.IsDir()
}
