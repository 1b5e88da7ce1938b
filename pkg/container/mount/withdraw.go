package mount

import (
	"errors"

	"golang.org/x/sys/unix"
)

// Withdraw detaches all that is mounted strictly below dir. It first parts these mounts
// from those that they are copies of: where mounts are shared, what lies below a copy
// would be unmounted below the original too.
func Withdraw(dir string) error {
	table, err := Table()
	if err != nil {
		return err
	}
	var faults []error
	for _, e := range InnermostFirst(table, dir) {
		if e.Target == dir {
			continue
		}
		err := Mount{Target: e.Target, Flags: unix.MS_PRIVATE | unix.MS_REC}.Do()
		faults = append(faults, gone(err))
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	_, err = clearOnce(dir, unix.MNT_DETACH)
	return err
}

// gone is nil for the error about a mount that is no longer there.
func gone(err error) error {
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}
