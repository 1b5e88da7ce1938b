package qemu

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"slipway/pkg/build/input"
)

// Disk is a disk of the machine. The guest sees the first as /dev/vda, or as
// /dev/sda with bus=scsi, bus=ide or bus=usb, /dev/nvme0n1 with bus=nvme.
type Disk struct {
	File   string
	Size   int64  // bytes; 0: the file has to be there
	Format string // raw or qcow2
	Bus    string // virtio, scsi, ide, nvme, usb
	Serial string // its serial number; a virtio disk is /dev/disk/by-id/virtio-SERIAL
}

// ParseDisk reads [file=]FILE[,size=N[K|M|G|T]][,format=raw|qcow2][,bus=virtio|scsi|ide|nvme|usb][,serial=NAME].
// As with LinuxKit a size without a unit is in GiB, and the file may be left
// out when there is a size: it is then fallback.
func ParseDisk(s, fallback string) (Disk, error) {
	d := Disk{Format: "raw", Bus: "virtio"}
	for i, part := range strings.Split(s, ",") {
		key, value, ok := strings.Cut(part, "=")
		if !ok && i == 0 {
			key, value = "file", part
		}
		if err := d.set(key, value); err != nil {
			return d, fmt.Errorf("disk %q: %w", s, err)
		}
	}
	if d.File = cmp.Or(d.File, fallback); d.File == "" {
		return d, fmt.Errorf("disk %q: no file", s)
	}
	return d, nil
}

func (d *Disk) set(key, value string) (err error) {
	switch key {
	case "file":
		d.File = value
	case "size":
		d.Size, err = parseUnits(value, "G", 30)
	case "format":
		d.Format, err = pick(key, value, "raw", "qcow2")
	case "bus":
		d.Bus, err = pick(key, value, "virtio", "scsi", "ide", "nvme", "usb")
	case "serial":
		d.Serial, err = value, checkSerial(value)
	default:
		return fmt.Errorf("unknown key %q; known are file, size, format, bus, serial", key)
	}
	return err
}

// serialNumber is what virtio has room for, and what stands in a path as it is.
var serialNumber = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,19}$`)

func checkSerial(value string) error {
	if !serialNumber.MatchString(value) {
		return fmt.Errorf("serial %q, want at most 20 letters, digits, '.', '_' and '-'", value)
	}
	return nil
}

func pick(key, value string, allowed ...string) (string, error) {
	if slices.Contains(allowed, value) {
		return value, nil
	}
	return "", fmt.Errorf("%s %q, want %s", key, value, strings.Join(allowed, ", "))
}

// ParseSize reads "64M" or "2G", in bytes; a number alone is MB.
func ParseSize(s string) (int64, error) { return parseUnits(s, "M", 20) }

// ParseMemory reads "512M" or "2G", in MB; a number alone is MB.
func ParseMemory(s string) (int, error) {
	n, err := parseUnits(s, "M", 20)
	if err == nil && n%(1<<20) != 0 {
		err = fmt.Errorf("size %q, want whole MB", s)
	}
	if err != nil {
		return 0, fmt.Errorf("memory: %w", err)
	}
	return int(n >> 20), nil
}

// parseUnits reads a number of bytes; without a unit it is the one that is named, of
// 1<<shift.
func parseUnits(s, unit string, shift int) (int64, error) {
	const units = "KMGT"
	number := s
	if n := len(s); n > 0 {
		if i := strings.IndexByte(units, s[n-1]&^0x20); i >= 0 {
			number, shift = s[:n-1], 10*(i+1)
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 1 || n > 1<<(62-shift) {
		return 0, fmt.Errorf("size %q, want a number with K, M, G or T (%s when left out)", s, unit)
	}
	return n << shift, nil
}

// checkFile refuses what QEMU would wait for, for ever: it takes files, and devices
// that are disks.
func checkFile(name string) error {
	if info, err := os.Stat(name); err == nil && info.Mode().Type() == fs.ModeDevice { // of blocks
		return nil
	}
	return input.Check(name)
}

// checkFiles looks at all that the machine starts from.
func (b Boot) checkFiles() error {
	for _, file := range []string{b.Kernel, b.Initrd, b.Squashfs, b.ISO, b.Disk} {
		if file == "" {
			continue
		}
		if err := checkFile(file); err != nil {
			return fmt.Errorf("find image: %w", err)
		}
	}
	return nil
}

// Ensure makes the disk's file, sparse, if it is not there. A file that exists
// is never changed, whatever its size: it is somebody's data.
func (d Disk) Ensure() error {
	if _, err := os.Stat(d.File); err == nil {
		return checkFile(d.File)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("find disk: %w", err)
	}
	if d.Size == 0 {
		return fmt.Errorf("disk %s: no such file, and no size= to make one", d.File)
	}
	if err := os.MkdirAll(filepath.Dir(d.File), 0o755); err != nil {
		return fmt.Errorf("make disk: %w", err)
	}
	if d.Format == "qcow2" {
		return makeQcow2(d.File, d.Size)
	}
	f, err := os.OpenFile(d.File, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("make disk: %w", err)
	}
	if err := errors.Join(f.Truncate(d.Size), f.Close()); err != nil {
		return fmt.Errorf("make disk %s: %w", d.File, errors.Join(err, os.Remove(d.File)))
	}
	return nil
}

func makeQcow2(file string, size int64) error {
	out, err := exec.Command("qemu-img", "create", "-q", "-f", "qcow2", file, strconv.FormatInt(size, 10)).CombinedOutput()
	if err != nil {
		return fmt.Errorf("make disk %s: qemu-img: %w: %s", file, err, strings.TrimSpace(string(out)))
	}
	return nil
}
