package boot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/container/mount"
	"slipway/pkg/machine"
)

// filesystem is one that is being left, wherever it is mounted. Its way:
//   - the journal is carried to it, if it belongs there;
//   - it is synced by itself: sync(2) would wait for all disks;
//   - swap is given time to be turned off, which needs a way to the files;
//   - it is unmounted, innermost first, as soon as others are no longer in the way;
//   - where that does not work it is made read-only, which saves its data as well,
//     and detached, so that what it lies on can be left;
//   - if something that is not to be seen still has it, such as the mounts of a
//     process that hangs, it is made read-only by way of a mount of its own.
type filesystem struct {
	*leaver
	*job
	entry        mount.Entry // one of its mounts
	keepsJournal bool
	isRoot       bool // its disk stays in use
	swapOff      <-chan struct{}
	say          func(format string, args ...any)
}

// How long others may be in the way, and swap.
const (
	busyTimeout = 2 * time.Second
	swapTimeout = 5 * time.Second
)

func (f *filesystem) leave(ctx context.Context) error {
	f.save()
	select {
	case <-f.swapOff:
	case <-time.After(swapTimeout):
	case <-ctx.Done():
	}
	for last := time.Now(); ; {
		free, covered, err := f.mounts(time.Now(), f.entry.Dev)
		if err != nil {
			return fmt.Errorf("read mount table: %w", err)
		}
		if len(free)+len(covered) == 0 {
			return f.unpin(ctx)
		}
		if f.unmount(free) > 0 {
			last = time.Now()
			continue
		}
		if time.Since(last) > busyTimeout || !sleep(ctx, leavePause) {
			return f.giveUp(slices.Concat(free, covered))
		}
	}
}

// save brings what was written to the disk, whatever comes later.
func (f *filesystem) save() {
	if f.keepsJournal {
		f.warn("keep journal", f.call(f.job, "write", carryJournal))
	}
	f.warn(f.what, f.call(f.job, "sync", func() error { return syncfs(f.entry.Target) }))
}

func syncfs(dir string) error {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil // unmounting syncs as well
	}
	return errors.Join(unix.Syncfs(fd), unix.Close(fd))
}

// unmount returns how many of the mounts it has unmounted.
func (f *filesystem) unmount(entries []mount.Entry) (n int) {
	for _, e := range entries {
		err := f.call(f.job, "unmount", func() error { return mount.Unmount(e.Target, unmountFlags(e.Type)) })
		if err == nil {
			n++
		}
	}
	return n
}

// giveUp saves a filesystem that cannot be unmounted.
func (f *filesystem) giveUp(entries []mount.Entry) error {
	for _, e := range entries {
		f.say("%s (%s) cannot be unmounted, in use by: %s", e.Target, e.Type, strings.Join(holders(e.Target), ", "))
	}
	e := entries[0]
	err := f.call(f.job, "remount read-only", func() error {
		return mount.Mount{Target: e.Target, Flags: unix.MS_REMOUNT | unix.MS_RDONLY}.Do()
	})
	for _, e := range entries {
		err = errors.Join(err, f.call(f.job, "detach", func() error { return mount.Unmount(e.Target, unix.MNT_DETACH) }))
	}
	return err
}

// leaveRoot makes a root on a disk clean; it cannot be unmounted from within. It
// is busy as long as something on it is open for writing.
func (f *filesystem) leaveRoot(ctx context.Context) error {
	if f.keepsJournal {
		f.warn("keep journal", f.call(f.job, "write", carryJournal))
	}
	if memoryTypes[f.entry.Type] {
		return nil
	}
	for begin := time.Now(); ; {
		err := f.call(f.job, "remount read-only", func() error {
			return mount.Mount{Target: "/", Flags: unix.MS_REMOUNT | unix.MS_RDONLY}.Do()
		})
		if !errors.Is(err, unix.EBUSY) || time.Since(begin) > busyTimeout || !sleep(ctx, leavePause) {
			return err
		}
	}
}

// unpin looks after a filesystem that is mounted nowhere any more, and still has
// its disk.
func (f *filesystem) unpin(ctx context.Context) error {
	node, known := diskNode(f.entry.Dev)
	if !known || f.isRoot {
		return nil
	}
	for begin := time.Now(); ; {
		taken := false
		err := f.call(f.job, "look", func() (err error) { taken, err = isTaken(node); return err })
		if err != nil || !taken {
			return nil // a disk that cannot be opened has nothing to save any more
		}
		if time.Since(begin) > busyTimeout || !sleep(ctx, leavePause) {
			break
		}
	}
	f.say("%s is mounted nowhere, and still in use: something that hangs has it, or swap on it", f.what)
	return f.call(f.job, "remount read-only", func() error {
		return withMount(node, []string{f.entry.Type}, func(dir string) error {
			return mount.Mount{Target: dir, Flags: unix.MS_REMOUNT | unix.MS_RDONLY}.Do()
		})
	})
}

// diskNode is the device of a filesystem that has a disk to itself.
func diskNode(dev string) (node string, known bool) {
	data, err := os.ReadFile("/sys/dev/block/" + dev + "/uevent")
	if err != nil {
		return "", false
	}
	for line := range strings.Lines(string(data)) {
		if name, is := strings.CutPrefix(strings.TrimSpace(line), "DEVNAME="); is {
			return filepath.Join("/dev", name), true
		}
	}
	return "", false
}

// isTaken tells whether the kernel uses a disk, for a filesystem, swap, or
// another device on it. Opening it exclusively then fails, and reads nothing.
func isTaken(node string) (bool, error) {
	fd, err := unix.Open(node, unix.O_RDONLY|unix.O_EXCL|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.EBUSY) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("open %s: %w", node, err)
	}
	return false, unix.Close(fd)
}

// privateDir is where a filesystem is mounted again that nobody can reach by a
// path: while it is in use, another mount of its disk is the same filesystem.
const privateDir = machine.Run + "/" + machine.Leave

func withMount(node string, types []string, do func(dir string) error) error {
	if err := os.MkdirAll(privateDir, 0o700); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(privateDir, filepath.Base(node)+"-") // the same filesystem cannot be mounted twice on one
	if err != nil {
		return err
	}
	for _, typ := range types {
		for _, flags := range []uintptr{0, unix.MS_RDONLY} {
			if err = unix.Mount(node, dir, typ, flags, ""); err == nil {
				return errors.Join(do(dir), unix.Unmount(dir, unix.MNT_DETACH))
			}
		}
	}
	return fmt.Errorf("mount %s again: %w", node, err)
}

// diskTypes lists the filesystems that lie on a disk, the usual ones first.
func diskTypes() []string {
	types := []string{"ext4"}
	data, err := os.ReadFile("/proc/filesystems")
	if err != nil {
		return types
	}
	for line := range strings.Lines(string(data)) {
		if typ := strings.TrimSpace(line); !strings.HasPrefix(line, "nodev") && !slices.Contains(types, typ) {
			types = append(types, typ)
		}
	}
	return types
}
