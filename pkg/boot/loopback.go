package boot

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// upLoopback brings lo up, netdevice(7): there is no ip(8). The kernel gives it
// 127.0.0.1/8 and ::1/128 by that.
func upLoopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("bring up lo: %w", err)
	}
	if err := errors.Join(setUp(fd, "lo"), unix.Close(fd)); err != nil {
		return fmt.Errorf("bring up lo: %w", err)
	}
	return nil
}

func setUp(fd int, name string) error {
	ifreq, err := unix.NewIfreq(name)
	if err == nil {
		err = os.NewSyscallError("SIOCGIFFLAGS", unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, ifreq))
	}
	if err != nil {
		return err
	}
	ifreq.SetUint16(ifreq.Uint16() | unix.IFF_UP)
	return os.NewSyscallError("SIOCSIFFLAGS", unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifreq))
}
