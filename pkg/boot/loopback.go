package boot

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// loopbackIndex is lo's in every network namespace.
const loopbackIndex = 1

// upLoopback gives lo its address and brings it up, by netlink: there is no ip(8).
// The kernel adds the route.
func upLoopback() error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("open netlink: %w", err)
	}
	err = request(fd, linkUp())
	if addr := request(fd, addLoopback()); !errors.Is(addr, unix.EEXIST) {
		err = errors.Join(err, addr)
	}
	if err := errors.Join(err, unix.Close(fd)); err != nil {
		return fmt.Errorf("bring up lo: %w", err)
	}
	return nil
}

// linkUp is an ifinfomsg that sets IFF_UP.
func linkUp() []byte {
	b := header(unix.RTM_NEWLINK, 0)
	b = append(b, unix.AF_UNSPEC, 0, 0, 0)
	b = binary.NativeEndian.AppendUint32(b, loopbackIndex)
	b = binary.NativeEndian.AppendUint32(b, unix.IFF_UP)
	b = binary.NativeEndian.AppendUint32(b, unix.IFF_UP)
	return finish(b)
}

// addLoopback is an ifaddrmsg for 127.0.0.1/8 with host scope.
func addLoopback() []byte {
	address := []byte{127, 0, 0, 1}
	b := header(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL)
	b = append(b, unix.AF_INET, 8, unix.IFA_F_PERMANENT, unix.RT_SCOPE_HOST)
	b = binary.NativeEndian.AppendUint32(b, loopbackIndex)
	b = attribute(b, unix.IFA_LOCAL, address)
	b = attribute(b, unix.IFA_ADDRESS, address)
	b = attribute(b, unix.IFA_BROADCAST, []byte{127, 255, 255, 255})
	return finish(b)
}

// header starts a netlink message; finish fills in its length.
func header(kind, flags uint16) []byte {
	b := make([]byte, 4, 64)
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = binary.NativeEndian.AppendUint16(b, unix.NLM_F_REQUEST|unix.NLM_F_ACK|flags)
	return append(b, 1, 0, 0, 0, 0, 0, 0, 0)
}

func attribute(b []byte, kind uint16, value []byte) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(4+len(value)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	return append(b, value...)
}

func finish(b []byte) []byte {
	binary.NativeEndian.PutUint32(b, uint32(len(b)))
	return b
}

// request sends one message and reads the kernel's answer, an error number.
func request(fd int, message []byte) error {
	if err := unix.Sendto(fd, message, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil {
		return fmt.Errorf("receive: %w", err)
	}
	if n < unix.NLMSG_HDRLEN+4 || binary.NativeEndian.Uint16(answer[4:]) != unix.NLMSG_ERROR {
		return errors.New("netlink answered without a status")
	}
	if code := int32(binary.NativeEndian.Uint32(answer[unix.NLMSG_HDRLEN:])); code != 0 {
		return unix.Errno(-code)
	}
	return nil
}
