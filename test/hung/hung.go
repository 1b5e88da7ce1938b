// Package hung makes file systems on which every call hangs, as on one whose
// server or disk is gone: FUSE without anybody who answers.
package hung

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Mount mounts one on dir, which takes root. Whoever touches it waits, and cannot
// be killed once the call is under way for long, until release is called: then
// all that waits fails, and it is unmounted.
func Mount(dir string) (release func() error, err error) {
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open /dev/fuse: %w", err)
	}
	server := os.NewFile(uintptr(fd), "/dev/fuse")
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fd)
	if err := unix.Mount("hung", dir, "fuse", 0, options); err != nil {
		return nil, fmt.Errorf("mount fuse on %s: %w", dir, err)
	}
	return func() error {
		// Force aborts what waits; a program that is being executed may hold a copy
		// of the server's descriptor, so closing ours would not.
		err := unix.Unmount(dir, unix.MNT_FORCE)
		if errors.Is(err, unix.EBUSY) {
			err = unix.Unmount(dir, unix.MNT_DETACH)
		}
		return errors.Join(err, server.Close())
	}, nil
}
