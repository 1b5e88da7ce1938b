package attack

import (
	"encoding/binary"
	"errors"
	"net"

	"golang.org/x/sys/unix"
)

// Changes to the network, which are undone.
var links = []Attack{
	{Name: "link-set", What: "set an interface (as it is): `RTM_NEWLINK`", Try: func() error {
		return route(unix.RTM_NEWLINK, 0, ifInfo(1))
	}},
	{Name: "link-flags", What: "switch an interface (as it is): `SIOCSIFFLAGS`", Try: switchLoopback},
	{Name: "link-add", What: "make an interface (a dummy one)", Try: newLink},
	{Name: "address-add", What: "give an interface an address", Try: func() error {
		body := []byte{unix.AF_INET, 32, 0, 0, 1, 0, 0, 0, 8, 0, unix.IFA_LOCAL, 0, 127, 9, 9, 9}
		if err := route(unix.RTM_NEWADDR, unix.NLM_F_CREATE, body); err != nil {
			return err
		}
		return route(unix.RTM_DELADDR, 0, body)
	}},
	{Name: "route-add", What: "make a route", Try: func() error {
		body := []byte{unix.AF_INET, 32, 0, 0, unix.RT_TABLE_MAIN, unix.RTPROT_STATIC, unix.RT_SCOPE_LINK, unix.RTN_UNICAST, 0, 0, 0, 0,
			8, 0, unix.RTA_DST, 0, 127, 9, 9, 9, 8, 0, unix.RTA_OIF, 0, 1, 0, 0, 0}
		if err := route(unix.RTM_NEWROUTE, unix.NLM_F_CREATE, body); err != nil {
			return err
		}
		return route(unix.RTM_DELROUTE, 0, body)
	}},
	{Name: "neighbour-add", What: "poison the machine's neighbours (ARP)", Try: func() error {
		body := []byte{unix.AF_INET, 0, 0, 0, 1, 0, 0, 0, 0x80, 0, 0, 0, 8, 0, unix.NDA_DST, 0, 127, 9, 9, 9}
		return past(route(unix.RTM_DELNEIGH, 0, body), unix.ENOENT)
	}},
	{Name: "nftables", What: "change the packet filter: nftables", Try: newTable},
	{Name: "iptables", What: "read the packet filter: iptables", Try: func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
		if err != nil {
			// Any socket will do.
			if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err != nil {
				return err
			}
		}
		info := make([]byte, 84)
		copy(info, "filter")
		size := uint32(len(info))
		_, err = call(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_IP, 64, block(info), pointer(&size))
		return err
	}},
	{Name: "xfrm", What: "change IPsec: XFRM", Try: flushPolicies},
	{Name: "conntrack", What: "forget the machine's connections: conntrack", Try: func() error {
		const conntrackGetStats = 1<<8 | 4
		return netlink(unix.NETLINK_NETFILTER, conntrackGetStats, unix.NLM_F_DUMP, []byte{0, 0, 0, 0})
	}},
	{Name: "sock-destroy", What: "cut another's connection: `SOCK_DESTROY`", Try: destroySocket},
	{Name: "uevent-listen", What: "listen to the kernel's events of devices", Try: listensNetlink(unix.NETLINK_KOBJECT_UEVENT, 1),
		Why: "They tell of devices that come and go, as `/sys` does; nothing can be sent."},
	{Name: "uevent-forge", What: "forge an event of a device to PID 1", Try: forgeUevent},
	{Name: "audit", What: "the kernel's audit: `NETLINK_AUDIT`", Try: func() error {
		const auditGet = 1000
		return netlink(unix.NETLINK_AUDIT, auditGet, unix.NLM_F_ACK, nil)
	}},
	{Name: "proc-connector", What: "watch all processes: the process connector", Try: func() error {
		fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_CONNECTOR)
		if err != nil {
			return err
		}
		return unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1})
	}},
	{Name: "tun", What: "a tunnel interface: `TUNSETIFF`", Try: newTunnel},
	{Name: "bridge-add", What: "make a bridge: `SIOCBRADDBR`", Try: func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		const addBridge, delBridge = 0x89a0, 0x89a1
		name := make([]byte, 16)
		copy(name, "probe-br")
		if _, err := call(unix.SYS_IOCTL, uintptr(fd), addBridge, block(name)); err != nil {
			return err
		}
		_, err = call(unix.SYS_IOCTL, uintptr(fd), delBridge, block(name))
		return err
	}},
	{Name: "ethtool", What: "a network card's settings: `SIOCETHTOOL`", Try: ethtool},
}

// ifInfo is the header of a message about an interface, with attributes.
func ifInfo(index uint32, attributes ...byte) []byte {
	b := make([]byte, 16)
	putUint32(b[4:], index)
	return append(b, attributes...)
}

// newLink makes a dummy interface and takes it away.
func newLink() error {
	name := append([]byte{11, 0, unix.IFLA_IFNAME, 0}, "probe9\x00\x00"...)
	kind := append([]byte{16, 0, unix.IFLA_LINKINFO, 0, 9, 0, unix.IFLA_INFO_KIND, 0}, "dummy\x00\x00\x00"...)
	body := ifInfo(0, append(name, kind...)...)
	if err := route(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, body); err != nil {
		return err
	}
	return route(unix.RTM_DELLINK, 0, ifInfo(0, name...))
}

// newTable asks for a table of nftables and ends the batch without carrying it
// out: a batch with no end is dropped.
func newTable() error {
	name := append([]byte{10, 0, 1, 0}, "probe\x00\x00\x00"...)
	begin := message(16, unix.NLM_F_REQUEST, []byte{0, 0, 0, 10})
	table := message(10<<8, unix.NLM_F_REQUEST|unix.NLM_F_ACK|unix.NLM_F_CREATE, append([]byte{unix.AF_INET, 0, 0, 0}, name...))
	return exchange(unix.NETLINK_NETFILTER, append(begin, table...))
}

// flushPolicies asks for the policies of IPsec.
func flushPolicies() error {
	const getSPDInfo = 0x25
	return netlink(unix.NETLINK_XFRM, getSPDInfo, unix.NLM_F_ACK, make([]byte, 4))
}

func switchLoopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	request := make([]byte, 40)
	copy(request, "lo")
	at := block(request)
	if _, err := call(unix.SYS_IOCTL, uintptr(fd), unix.SIOCGIFFLAGS, at); err != nil {
		return err
	}
	_, err = call(unix.SYS_IOCTL, uintptr(fd), unix.SIOCSIFFLAGS, at)
	return err
}

// ethtool sets the card's message level to what it is.
func ethtool() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	const nwayReset = 0x9 // ETHTOOL_NWAY_RST, which virtio's driver has not
	command := make([]byte, 8)
	putUint32(command, nwayReset)
	request := make([]byte, 40)
	copy(request, "eth0")
	putUint64(request[16:], uint64(block(command)))
	_, err = call(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, block(request))
	return past(err, unix.EOPNOTSUPP)
}

// diagRequest asks for a TCP connection that is not there.
func diagRequest() []byte {
	b := make([]byte, 56)
	b[0], b[1] = unix.AF_INET, unix.IPPROTO_TCP
	putUint32(b[48:], 0xffffffff)
	putUint32(b[52:], 0xffffffff)
	return b
}

func listSockets() error {
	body := diagRequest()
	putUint32(body[4:], 0xfff) // all states
	return netlink(unix.NETLINK_SOCK_DIAG, 20, unix.NLM_F_DUMP, body)
}

func listensNetlink(protocol int, groups uint32) func() error {
	return func() error {
		fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, protocol)
		if err != nil {
			return err
		}
		return errors.Join(unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}), unix.Close(fd))
	}
}

// forgeUevent sends to the group of the kernel's events.
func forgeUevent() error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return err
	}
	event := []byte("probe@/nowhere\x00ACTION=probe\x00")
	err = unix.Sendto(fd, event, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1})
	return past(err, unix.ESRCH)
}

// destroySocket cuts a connection of its own as it could those of others: the
// kernel finds it first, and then looks at the permission.
func destroySocket() error {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }()
	c, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		return err
	}
	defer c.Close()
	body := diagRequest()
	putUint32(body[4:], 0xfff)
	from, to := c.LocalAddr().(*net.TCPAddr), c.RemoteAddr().(*net.TCPAddr)
	binary.BigEndian.PutUint16(body[8:], uint16(from.Port))
	binary.BigEndian.PutUint16(body[10:], uint16(to.Port))
	copy(body[12:], from.IP.To4())
	copy(body[28:], to.IP.To4())
	const sockDestroy = 21
	return netlink(unix.NETLINK_SOCK_DIAG, sockDestroy, unix.NLM_F_ACK, body)
}

// newTunnel takes the device of the machine or a node of its own.
func newTunnel() error {
	const node = "/mnt/tun"
	if err := unix.Mknod(node, unix.S_IFCHR|0o600, int(unix.Mkdev(10, 200))); err != nil {
		return err
	}
	defer gone(node)
	fd, err := unix.Open(node, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	request := make([]byte, 40)
	copy(request, "probe0")
	request[16] = unix.IFF_TUN
	_, err = call(unix.SYS_IOCTL, uintptr(fd), unix.TUNSETIFF, block(request))
	return err
}
