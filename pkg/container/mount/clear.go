package mount

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// maxWait is how long Clear tries plain unmounts: what a dying process still
// held is let go within milliseconds.
const maxWait = 500 * time.Millisecond

// Clear unmounts everything strictly below dir, innermost first. Mounts that
// stay busy are detached, so that their place is free and they go when the
// last holder does; the error then says who that is.
func Clear(dir string) error {
	deadline := time.Now().Add(maxWait)
	for pause := time.Millisecond; ; pause *= 2 {
		busy, err := clearOnce(dir, 0)
		if err != nil || len(busy) == 0 {
			return err
		}
		if time.Now().Add(pause).After(deadline) {
			return detach(dir, busy)
		}
		time.Sleep(pause)
	}
}

// clearOnce returns the targets that were busy.
func clearOnce(dir string, flags int) (busy []string, err error) {
	table, err := Table()
	if err != nil {
		return nil, fmt.Errorf("clear mounts below %s: %w", dir, err)
	}
	for _, e := range InnermostFirst(table, dir) {
		if e.Target == dir {
			continue
		}
		switch err := Unmount(e.Target, flags); {
		case errors.Is(err, unix.EBUSY):
			busy = append(busy, e.Target)
		case err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT):
			// EINVAL and ENOENT: it has gone since the table was read.
			return nil, err
		}
	}
	return busy, nil
}

func detach(dir string, busy []string) error {
	var faults []error
	for _, target := range busy {
		faults = append(faults, fmt.Errorf("unmount %s: %w: detached, it is held by %s", target, unix.EBUSY, holdersOf(target)))
	}
	if _, err := clearOnce(dir, unix.MNT_DETACH); err != nil {
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

func holdersOf(target string) string {
	if found := Holders(target); len(found) > 0 {
		return strings.Join(found, "; ")
	}
	return "no process: a mount below it, or the kernel"
}

// ID identifies the topmost mount on target, or is 0 where the kernel (before
// 5.8) does not tell. From 6.8 on it is never reused.
func ID(target string) (uint64, error) {
	for _, mask := range []int{unix.STATX_MNT_ID_UNIQUE, unix.STATX_MNT_ID} {
		var st unix.Statx_t
		if err := unix.Statx(unix.AT_FDCWD, target, unix.AT_SYMLINK_NOFOLLOW, mask, &st); err != nil {
			return 0, fmt.Errorf("stat %s: %w", target, err)
		}
		if st.Mask&uint32(mask) != 0 {
			return st.Mnt_id, nil
		}
	}
	return 0, nil
}
