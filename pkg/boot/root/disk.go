package root

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Where /proc and /dev are for as long as it takes to find the disk.
const (
	bootProc = payloadDir + "/proc"
	bootDev  = payloadDir + "/dev"
)

// Some controllers find their disks some time after the driver is loaded.
const (
	diskTime = 30 * time.Second
	diskPoll = 20 * time.Millisecond
)

// enterDisk mounts the squashfs on the disk that root= names.
func enterDisk() error {
	files, err := openModules(modulesList)
	if err != nil {
		return err
	}
	loaded := startLoading(files).await()
	if err := mountDisk(); err != nil {
		return errors.Join(err, loaded)
	}
	if err := empty("/", path.Base(newRoot)); err != nil {
		return err
	}
	return errors.Join(enter(newRoot), loaded)
}

func mountDisk() error {
	var device string
	err := mounted("proc", bootProc, func() error {
		data, err := os.ReadFile(bootProc + "/cmdline")
		device = rootOption(string(data))
		return err
	})
	if err != nil {
		return fmt.Errorf("read command line of the kernel: %w", err)
	}
	if !strings.HasPrefix(device, "/dev/") {
		return fmt.Errorf("root=%s on the kernel command line: want the disk with the root squashfs, such as root=/dev/vda", device)
	}
	if err := os.MkdirAll(newRoot, 0o755); err != nil {
		return fmt.Errorf("make mount point: %w", err)
	}
	return mounted("devtmpfs", bootDev, func() error {
		return mountWhenThere(path.Join(bootDev, strings.TrimPrefix(device, "/dev")))
	})
}

// mountWhenThere mounts the disk once its driver has found it.
func mountWhenThere(device string) error {
	for end := time.Now().Add(diskTime); ; time.Sleep(diskPoll) {
		err := unix.Mount(device, newRoot, "squashfs", unix.MS_RDONLY, "")
		if err == nil {
			return nil
		}
		waits := errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENXIO)
		if !waits || time.Now().After(end) {
			return fmt.Errorf("mount squashfs /dev%s on %s: %w", strings.TrimPrefix(device, bootDev), newRoot, err)
		}
	}
}

// mounted mounts a filesystem of the kernel's for as long as use takes. The root
// moves after that, and would take such a mount along.
func mounted(kind, dir string, use func() error) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make mount point: %w", err)
	}
	if err := unix.Mount(kind, dir, kind, 0, ""); err != nil {
		return fmt.Errorf("mount %s on %s: %w", kind, dir, err)
	}
	err := use()
	if uerr := unix.Unmount(dir, 0); uerr != nil {
		err = errors.Join(err, fmt.Errorf("unmount %s: %w", dir, uerr))
	}
	return err
}

// rootOption is the last root= of a command line, which is the one that counts.
func rootOption(cmdline string) string {
	device := ""
	for word := range strings.FieldsSeq(cmdline) {
		if value, ok := strings.CutPrefix(word, "root="); ok {
			device = value
		}
	}
	return device
}
