package attack

import (
	"encoding/binary"
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// route is a request to the kernel about links, addresses and routes.
func route(kind, flags uint16, body []byte) error {
	return netlink(unix.NETLINK_ROUTE, kind, flags|unix.NLM_F_ACK, body)
}

// netlink sends one message and returns the kernel's answer.
func netlink(protocol int, kind, flags uint16, body []byte) error {
	return exchange(protocol, message(kind, flags|unix.NLM_F_REQUEST, body))
}

// message is one with its header, padded.
func message(kind, flags uint16, body []byte) []byte {
	b := make([]byte, unix.NLMSG_HDRLEN, unix.NLMSG_HDRLEN+len(body)+3)
	putUint32(b[0:], uint32(unix.NLMSG_HDRLEN+len(body)))
	binary.NativeEndian.PutUint16(b[4:], kind)
	binary.NativeEndian.PutUint16(b[6:], flags)
	putUint32(b[8:], 1)
	b = append(b, body...)
	for len(b)%unix.NLMSG_ALIGNTO != 0 {
		b = append(b, 0)
	}
	return b
}

// answerTime is what the kernel gets to answer; it answers within the call that
// asks, so that it has answered when it has at all.
const answerTime = 5 * time.Second

// exchange sends messages and reads the answers up to the first that is an error
// or an acknowledgement, or the first that is an answer.
func exchange(protocol int, messages []byte) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	timeout := unix.NsecToTimeval(answerTime.Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout); err != nil {
		return err
	}
	if err := unix.Sendto(fd, messages, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	answer := make([]byte, 32<<10)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil {
		return err
	}
	if n < unix.NLMSG_HDRLEN+4 {
		return errors.New("an answer that is cut off")
	}
	if binary.NativeEndian.Uint16(answer[4:]) != unix.NLMSG_ERROR {
		return nil
	}
	if code := int32(binary.NativeEndian.Uint32(answer[unix.NLMSG_HDRLEN:])); code != 0 {
		return unix.Errno(-code)
	}
	return nil
}
