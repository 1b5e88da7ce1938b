package network

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// conn is an rtnetlink socket. It speaks to the network namespace in which it
// was opened, whatever namespace its caller is in later.
type conn struct{ fd int }

func dial() (*conn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, os.NewSyscallError("netlink socket", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, errors.Join(os.NewSyscallError("netlink bind", err), unix.Close(fd))
	}
	return &conn{fd}, nil
}

// dialIn opens the socket in the namespace of a process.
func dialIn(pid int) (c *conn, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		// A thread that cannot come back is never unlocked, and so ends with
		// this goroutine.
		runtime.LockOSThread()
		var back bool
		if c, back, err = visit(pid); back {
			runtime.UnlockOSThread()
		}
	}()
	<-done
	return c, err
}

func visit(pid int) (c *conn, back bool, err error) {
	own, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, true, err
	}
	defer func() { err = errors.Join(err, own.Close()) }()
	ns, err := openNS(pid)
	if err != nil {
		return nil, true, err
	}
	defer func() { err = errors.Join(err, ns.Close()) }()
	if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, true, os.NewSyscallError("setns", err)
	}
	c, err = dial()
	if backErr := unix.Setns(int(own.Fd()), unix.CLONE_NEWNET); backErr != nil {
		return c, false, errors.Join(err, os.NewSyscallError("setns back", backErr))
	}
	return c, true, err
}

func openNS(pid int) (*os.File, error) {
	return os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
}

func (c *conn) close() error { return os.NewSyscallError("close netlink socket", unix.Close(c.fd)) }

// attr appends a netlink attribute, rtnetlink(7).
func attr(b []byte, kind uint16, value []byte) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(unix.SizeofRtAttr+len(value)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = append(b, value...)
	for len(b)%unix.NLMSG_ALIGNTO != 0 {
		b = append(b, 0)
	}
	return b
}

func text(s string) []byte { return append([]byte(s), 0) }

func number(n int) []byte { return binary.NativeEndian.AppendUint32(nil, uint32(n)) }

// ifinfo is struct ifinfomsg with only the index set.
func ifinfo(index int) []byte {
	b := make([]byte, unix.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(b[4:], uint32(index))
	return b
}

// request sends one message and waits for its answer or acknowledgement. The
// answer's payload is returned, if there is one.
func (c *conn) request(kind, flags uint16, payload []byte) ([]byte, error) {
	b := binary.NativeEndian.AppendUint32(nil, uint32(unix.SizeofNlMsghdr+len(payload)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = binary.NativeEndian.AppendUint16(b, flags|unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	b = binary.NativeEndian.AppendUint32(b, 1)
	b = binary.NativeEndian.AppendUint32(b, 0)
	b = append(b, payload...)
	if err := unix.Sendto(c.fd, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, os.NewSyscallError("netlink send", err)
	}
	var answer []byte
	for {
		buf := make([]byte, 32<<10)
		n, _, err := unix.Recvfrom(c.fd, buf, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, os.NewSyscallError("netlink receive", err)
		}
		got, done, err := parseAnswer(buf[:n])
		if got != nil {
			answer = got
		}
		if done || err != nil {
			return answer, err
		}
	}
}

// parseAnswer walks through the messages of one datagram up to the
// acknowledgement, which carries an errno or 0.
func parseAnswer(b []byte) (answer []byte, done bool, err error) {
	for len(b) >= unix.SizeofNlMsghdr {
		size := int(binary.NativeEndian.Uint32(b))
		if size < unix.SizeofNlMsghdr || size > len(b) {
			return nil, true, errors.New("netlink: malformed answer")
		}
		payload := b[unix.SizeofNlMsghdr:size]
		if binary.NativeEndian.Uint16(b[4:]) == unix.NLMSG_ERROR {
			if len(payload) < 4 {
				return nil, true, errors.New("netlink: malformed acknowledgement")
			}
			if code := int32(binary.NativeEndian.Uint32(payload)); code != 0 {
				return nil, true, unix.Errno(-code)
			}
			return answer, true, nil
		}
		answer = payload
		b = b[min(len(b), (size+3)&^3):]
	}
	return answer, false, nil
}

// index looks an interface up by name.
func (c *conn) index(name string) (int, error) {
	answer, err := c.request(unix.RTM_GETLINK, 0, attr(ifinfo(0), unix.IFLA_IFNAME, text(name)))
	if err != nil {
		return 0, err
	}
	if len(answer) < unix.SizeofIfInfomsg {
		return 0, errors.New("netlink: malformed answer")
	}
	return int(int32(binary.NativeEndian.Uint32(answer[4:]))), nil
}

// move gives an interface to the namespace behind the open file.
func (c *conn) move(name string, ns *os.File) error {
	index, err := c.index(name)
	if err != nil {
		return err
	}
	_, err = c.request(unix.RTM_NEWLINK, 0, attr(ifinfo(index), unix.IFLA_NET_NS_FD, number(int(ns.Fd()))))
	return err
}

// add makes an interface; with ns it lands there at once, while the socket's
// own namespace is where it was made and where its peer stays.
func (c *conn) add(name, kind, peer string, ns *os.File) error {
	info := attr(nil, unix.IFLA_INFO_KIND, []byte(kind))
	if peer != "" {
		other := attr(ifinfo(0), unix.IFLA_IFNAME, text(peer))
		info = attr(info, unix.IFLA_INFO_DATA, attr(nil, vethInfoPeer, other))
	}
	b := attr(ifinfo(0), unix.IFLA_IFNAME, text(name))
	b = attr(b, unix.IFLA_LINKINFO, info)
	if ns != nil {
		b = attr(b, unix.IFLA_NET_NS_FD, number(int(ns.Fd())))
	}
	_, err := c.request(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, b)
	return err
}

// vethInfoPeer is VETH_INFO_PEER of linux/veth.h.
const vethInfoPeer = 1

func (c *conn) remove(name string) error {
	index, err := c.index(name)
	if err != nil {
		return err
	}
	_, err = c.request(unix.RTM_DELLINK, 0, ifinfo(index))
	return err
}
