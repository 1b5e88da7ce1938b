package main

import (
	"encoding/binary"
	"errors"

	"golang.org/x/sys/unix"
)

// fullSocket sends itself as much as it takes: some 370 KB of the kernel's memory.
func fullSocket() (fd int, err error) {
	fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_USERSOCK)
	if err != nil {
		return fd, err
	}
	for _, option := range []int{unix.SO_RCVBUF, unix.SO_SNDBUF} {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, option, 1<<30); err != nil {
			return fd, err
		}
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fd, err
	}
	self, err := unix.Getsockname(fd)
	for message := make([]byte, 90000); err == nil; {
		// The length of the message comes first (netlink(7)).
		binary.NativeEndian.PutUint32(message, uint32(len(message)))
		err = unix.Sendto(fd, message, unix.MSG_DONTWAIT, self)
	}
	if err != unix.EAGAIN {
		return fd, err
	}
	return fd, nil
}

// optionSocket makes one with as many options as it may have: some 4 KB of the kernel's memory.
func optionSocket() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	for i := range 20 { // net.ipv4.igmp_max_memberships
		group := unix.IPMreqn{Multiaddr: [4]byte{224, 1, 0, byte(i)}, Ifindex: 1}
		if err := unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP, &group); err != nil {
			return err
		}
	}
	return nil
}

// sendTo gives sockets in which descriptors wait: new ones when the last are full.
func sendTo() func(fd int) error {
	ends, made := [2]int{}, false
	return func(fd int) (err error) {
		for try := 0; try < 2; try++ {
			if made {
				err = unix.Sendmsg(ends[0], []byte{1}, unix.UnixRights(fd), nil, unix.MSG_DONTWAIT)
				if err != unix.EAGAIN {
					return err
				}
			}
			if ends, err = unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err != nil {
				return err
			}
			made = true
		}
		return err
	}
}

// sent sends a full socket and closes its own.
func sent(send func(fd int) error) func() error {
	return func() error {
		fd, err := fullSocket()
		if err == nil {
			err = send(fd)
		}
		return errors.Join(err, unix.Close(fd))
	}
}
