package device

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// linkDisks makes the links below /dev/disk by which people name their disks in a
// way that does not depend on the order of finding them. It makes all of them
// anew, so that links of disks that are gone go too; disks are few.
func (m *Manager) linkDisks(class, dev string) {
	entries, err := os.ReadDir(class)
	if err != nil {
		// A kernel without block devices.
		return
	}
	want := map[string]string{}
	for _, e := range entries {
		dir := filepath.Join(class, e.Name())
		if read(dir, "size") == "0" {
			// A loop device without a file, a drive without a disc.
			continue
		}
		for directory, name := range m.diskNames(dir, filepath.Join(dev, e.Name())) {
			if name = linkName(name); name != "" {
				want[filepath.Join(dev, "disk", directory, name)] = "../../" + e.Name()
			}
		}
	}
	m.Warn("link disks", updateLinks(filepath.Join(dev, "disk"), want))
}

// diskNames are the names of one disk or partition, by directory of /dev/disk.
func (m *Manager) diskNames(sys, node string) map[string]string {
	names := map[string]string{}
	names["by-uuid"], names["by-label"] = m.identify(node)
	for line := range strings.Lines(read(sys, "uevent")) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch key {
		case "PARTNAME":
			names["by-partlabel"] = value
		case "PARTUUID":
			names["by-partuuid"] = value
		}
	}
	if serial := read(sys, "serial"); serial != "" {
		names["by-id"] = "virtio-" + serial
	} else if wwid := read(sys, "wwid"); wwid != "" {
		names["by-id"] = "wwn-" + wwid
	}
	return names
}

// headTimeout is how long a disk may take to give its first bytes.
const headTimeout = 5 * time.Second

// onDisk is what a disk says of itself.
type onDisk struct{ uuid, label string }

// identify reads the superblock of a disk. One that hangs is left alone until it
// comes back, and keeps the names it had: others, and the power button, must not
// wait for it.
func (m *Manager) identify(node string) (uuid, label string) {
	known, _ := m.disks.Load(node)
	last, _ := known.(onDisk)
	if _, hangs := m.reading.LoadOrStore(node, true); hangs {
		return last.uuid, last.label
	}
	read := make(chan onDisk, 1)
	go func() {
		if m.caught != nil {
			defer func() { m.caught(recover()) }()
		}
		var found onDisk
		found.uuid, found.label = identify(head(node))
		m.disks.Store(node, found)
		m.reading.Delete(node)
		read <- found
	}()
	select {
	case found := <-read:
		return found.uuid, found.label
	case <-time.After(cmp.Or(m.timeout, headTimeout)):
		m.Warn("read "+node, errors.New("it does not answer"))
		return last.uuid, last.label
	}
}

// head reads the part of a disk that has its superblock. A disk that cannot be
// read has no names; whoever mounts it gets to hear why.
func head(node string) []byte {
	fd, err := unix.Open(node, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	f := os.NewFile(uintptr(fd), node)
	defer f.Close()
	data := make([]byte, probeSize)
	n, err := io.ReadFull(f, data)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return data[:n]
}

// read reads a small file of /sys; "" if it is not there.
func read(dir, name string) string {
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// updateLinks makes the links below root what they should be, and touches only
// those that differ: programs may be waiting for one.
func updateLinks(root string, want map[string]string) error {
	have, err := filepath.Glob(root + "/by-*/*")
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range have {
		target, err := os.Readlink(name)
		if err == nil && want[name] == target {
			delete(want, name)
			continue
		}
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	for name, target := range want {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, os.Symlink(target, name))
	}
	return errors.Join(errs...)
}
