package qemu

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"slipway/pkg/build/input"
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
	EFI      bool // the ISO or disk boots by EFI
}

// Kind says what sort of image a name stands for.
type Kind string

// The kinds; AnyKind is found out by looking.
const (
	AnyKind        Kind = ""
	KernelInitrd   Kind = "kernel+initrd"
	KernelSquashfs Kind = "kernel+squashfs"
	ISO            Kind = "iso"
	DiskImage      Kind = "disk"
)

// Suffixes of media that slipway build makes, and LinuxKit's tool too. All boot
// by EFI.
var efiMedia = []string{"-efi.iso", "-efi.img", "-efi.qcow2"}

// bootstrapSuffix is of the initrd of a kernel that cannot mount a squashfs on a
// disk by itself.
const bootstrapSuffix = "-squashfs-initrd.img"

// Resolve finds the files of the image called name, by LinuxKit's rules: a file
// is an ISO or a disk; otherwise NAME-kernel stands beside NAME-squashfs.img or
// NAME-initrd.img, and NAME-cmdline. Without a kernel it is NAME-efi.iso,
// NAME-efi.img or NAME-efi.qcow2.
func Resolve(name string, kind Kind) (Boot, error) {
	if kind == AnyKind || kind == ISO {
		if medium, err := findMedium(name, kind); medium != "" || err != nil {
			return mediumBoot(medium, kind), err
		}
	}
	if kind == AnyKind {
		kind = look(name)
	}
	if kind == DiskImage && isFile(name) {
		return mediumBoot(name, kind), nil
	}
	if kind == ISO || !isFile(name+"-kernel") {
		return Boot{}, notFound(name)
	}
	cmdline, err := input.Read(name+"-cmdline", maxCmdline)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Boot{}, fmt.Errorf("read kernel command line: %w", err)
	}
	b := Boot{Kernel: name + "-kernel", Cmdline: strings.TrimSpace(string(cmdline))}
	root, file := &b.Initrd, name+"-initrd.img"
	if kind == KernelSquashfs {
		root, file = &b.Squashfs, name+"-squashfs.img"
		if isFile(name + bootstrapSuffix) {
			b.Initrd = name + bootstrapSuffix
		}
	}
	if !isFile(file) {
		return Boot{}, fmt.Errorf("image %s: %s is there, but %s is not", name, b.Kernel, file)
	}
	*root = file
	return b, nil
}

// noMedium tells a file that firmware would look for a system on in vain: the text that an image
// is made of, or a part of an image.
func noMedium(file string) error {
	if ext := filepath.Ext(file); ext == ".yml" || ext == ".yaml" {
		return fmt.Errorf("image %s: it is the text of one; `slipway build` makes the image %s of it", file, strings.TrimSuffix(filepath.Base(file), ext))
	}
	for _, suffix := range []string{"-kernel", "-cmdline", bootstrapSuffix, "-initrd.img", "-squashfs.img"} {
		if stem, is := strings.CutSuffix(file, suffix); is && isFile(stem+"-kernel") {
			return fmt.Errorf("image %s: it is a part of one, which is called %s", file, stem)
		}
	}
	return nil
}

// findMedium finds the ISO or disk that a name stands for, "" if none.
func findMedium(name string, kind Kind) (string, error) {
	switch {
	case isFile(name) && strings.HasSuffix(name, ".tar"):
		return "", fmt.Errorf("image %s: a tar is nothing to boot; a container disk is run by KubeVirt, and --format qcow2-efi makes the same disk as a file", name)
	case isFile(name):
		return name, noMedium(name)
	case isFile(name+"-kernel") && kind == AnyKind:
		return "", nil
	}
	var found []string
	for _, suffix := range append([]string{".iso"}, efiMedia...) {
		if isFile(name+suffix) && (kind == AnyKind || strings.HasSuffix(suffix, ".iso")) {
			found = append(found, name+suffix)
		}
	}
	switch len(found) {
	case 0:
		return "", nil
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("image %s: there are %s; name one of them", name, strings.Join(found, " and "))
}

func mediumBoot(file string, kind Kind) Boot {
	if file == "" {
		return Boot{}
	}
	efi := slices.ContainsFunc(efiMedia, func(suffix string) bool { return strings.HasSuffix(file, suffix) })
	if kind == ISO || kind == AnyKind && strings.HasSuffix(file, ".iso") {
		return Boot{ISO: file, EFI: efi}
	}
	return Boot{Disk: file, EFI: efi}
}

// look tells the kinds that have a kernel beside them.
func look(name string) Kind {
	if isFile(name + "-squashfs.img") {
		return KernelSquashfs
	}
	return KernelInitrd
}

// maxCmdline is far above what any kernel takes.
const maxCmdline = 1 << 20

// KernelArch is the architecture that a kernel is for, as QEMU calls it; empty
// when its first bytes do not tell.
func KernelArch(file string) (string, error) {
	f, err := input.Open(file)
	if err != nil {
		return "", fmt.Errorf("read kernel: %w", err)
	}
	defer f.Close()
	head := make([]byte, 0x206)
	if _, err := io.ReadFull(f, head); err != nil {
		return "", nil // too short for either
	}
	switch {
	case string(head[0x38:0x3c]) == "ARM\x64": // Documentation/arm64/booting.rst
		return "aarch64", nil
	case string(head[0x202:0x206]) == "HdrS": // Documentation/x86/boot.rst
		return "x86_64", nil
	}
	return "", nil
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
