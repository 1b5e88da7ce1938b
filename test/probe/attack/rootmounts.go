package attack

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// ownMounts are the places at which a container has mounts that are its own, or
// kernel file systems.
var ownMounts = []string{"/", "/dev", "/dev/pts", "/dev/slipway", "/dev/shm", "/dev/mqueue", "/proc", "/sys", "/sys/fs/cgroup", BoundControl}

// foreignMount looks for a mount that a container without binds should not have.
func foreignMount() error {
	table, err := mountTable()
	if err != nil {
		return err
	}
	for _, m := range table {
		known := strings.HasPrefix(m.at, "/proc/") || strings.HasPrefix(m.at, "/sys/")
		for _, at := range ownMounts {
			known = known || m.at == at
		}
		if !known {
			Detail("%s is mounted on %s", m.kind, m.at)
			return nil
		}
	}
	return unix.ENOENT
}

type mountLine struct{ at, kind, options string }

func mountTable() ([]mountLine, error) {
	data, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil, err
	}
	var list []mountLine
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) > 3 {
			list = append(list, mountLine{f[1], f[2], f[3]})
		}
	}
	return list, nil
}

// layers tries the paths of the overlay's layers.
func layers() error {
	table, err := mountTable()
	if err != nil {
		return err
	}
	for _, m := range table {
		if m.at != "/" {
			continue
		}
		for o := range strings.SplitSeq(m.options, ",") {
			key, path, _ := strings.Cut(o, "=")
			if key != "lowerdir" && key != "upperdir" && key != "workdir" {
				continue
			}
			if _, err := os.Lstat(path); err == nil {
				return nil
			}
		}
	}
	return unix.ENOENT
}

// writeMachine changes a file of the image through every way that there is in a
// container to the file systems below it.
func writeMachine() error {
	found, err := filepath.Glob("/proc/[0-9]*/root/containers")
	if err != nil {
		return err
	}
	for _, dir := range append(found, "/containers") {
		err = os.WriteFile(dir+"/probe", nil, 0o600)
		if err == nil {
			return os.Remove(dir + "/probe")
		}
	}
	return err
}

// onScratch does something with a new file, where there is a place for one.
func onScratch(do func(name string) error) error {
	f, err := os.CreateTemp("/mnt", "probe")
	if err != nil {
		return err
	}
	return errors.Join(do(f.Name()), f.Close(), os.Remove(f.Name()))
}
