package network

import (
	"errors"
	"fmt"
	"os"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// conn speaks to one network namespace, whatever namespace its caller is in.
type conn struct{ *netlink.Handle }

// dial opens one to a namespace.
func dial(ns netns.NsHandle) (conn, error) {
	h, err := netlink.NewHandleAt(ns, unix.NETLINK_ROUTE)
	if err != nil {
		return conn{}, fmt.Errorf("open netlink: %w", err)
	}
	return conn{h}, nil
}

// dialIn opens one to the namespace of a process.
func dialIn(pid int) (conn, error) {
	ns, err := netns.GetFromPid(pid)
	if err != nil {
		return conn{}, fmt.Errorf("network namespace of process %d: %w", pid, err)
	}
	c, err := dial(ns)
	if err := errors.Join(err, ns.Close()); err != nil {
		return conn{}, err
	}
	return c, nil
}

// find looks an interface up by name. The error is ENODEV if there is none.
func (c conn) find(name string) (netlink.Link, error) {
	l, err := c.LinkByName(name)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return nil, fmt.Errorf("interface %s: %w", name, unix.ENODEV)
	}
	if err != nil {
		return nil, fmt.Errorf("interface %s: %w", name, os.NewSyscallError("netlink", err))
	}
	return l, nil
}

// move gives an interface to a namespace.
func (c conn) move(name string, ns netns.NsHandle) error {
	l, err := c.find(name)
	if err != nil {
		return err
	}
	return c.LinkSetNsFd(l, int(ns))
}

// add makes an interface; in a namespace that is open it lands there at once,
// while the connection's own is where it was made and where its peer stays.
func (c conn) add(name, kind, peer string, ns netns.NsHandle) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = name
	if ns.IsOpen() {
		attrs.Namespace = netlink.NsFd(ns)
	}
	if peer != "" {
		return c.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: peer})
	}
	return c.LinkAdd(&netlink.GenericLink{LinkAttrs: attrs, LinkType: kind})
}

func (c conn) remove(name string) error {
	l, err := c.find(name)
	if err != nil {
		return err
	}
	return c.LinkDel(l)
}
