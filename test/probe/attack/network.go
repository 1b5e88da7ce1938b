package attack

import (
	"errors"
	"net"

	"golang.org/x/sys/unix"
)

// Sockets. Containers share the machine's network unless their YAML says
// otherwise (net: new), as in LinuxKit.
var networks = []Attack{
	{Name: "packet-raw", What: "listen to all traffic: a packet socket", Try: makes(unix.SYS_SOCKET, unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)},
	{Name: "packet-dgram", What: "the same without link headers", Try: makes(unix.SYS_SOCKET, unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)},
	{Name: "raw-icmp", What: "forge packets: a raw ICMP socket", Try: makes(unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMP)},
	{Name: "raw-ip", What: "forge packets: a raw IP socket", Try: makes(unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)},
	{Name: "raw-ipv6", What: "forge packets: a raw IPv6 socket", Try: makes(unix.SYS_SOCKET, unix.AF_INET6, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMPV6)},
	{Name: "ping", What: "a ping socket", Try: makes(unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMP)},
	{Name: "low-port", What: "take a port below 1024 of the machine", Try: listens("0.0.0.0:22")},
	{Name: "high-port", What: "take another port of the machine", Try: listens("0.0.0.0:8722"),
		Why: "The machine's network is shared, as in LinuxKit; `net: new` gives the container one of its own."},
	{Name: "bind-device", What: "tie a socket to an interface: `SO_BINDTODEVICE`", Try: socketOption(func(fd int) error { return unix.BindToDevice(fd, "lo") }),
		Why: "The kernel allows it to all since 5.7; it narrows what the socket sees."},
	{Name: "so-mark", What: "mark packets past the machine's rules: `SO_MARK`", Try: socketOption(func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, 1) })},
	{Name: "so-priority", What: "send ahead of others: `SO_PRIORITY`", Try: socketOption(func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PRIORITY, 7) })},
	{Name: "so-sndbufforce", What: "buffers past the limit: `SO_SNDBUFFORCE`", Try: socketOption(func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 1<<20) })},
	{Name: "so-debug", What: "`SO_DEBUG`", Try: socketOption(func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DEBUG, 1) })},
	{Name: "ip-transparent", What: "answer for any address: `IP_TRANSPARENT`", Try: socketOption(func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_TRANSPARENT, 1) })},
	{Name: "tcp-repair", What: "forge a connection: `TCP_REPAIR`", Try: socketOption(func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_TCP, unix.TCP_REPAIR, 1) })},
	{Name: "reuse-port", What: "share a port that another user listens on: `SO_REUSEPORT`", Try: sharePort},
	{Name: "unix-as-other", What: "forge who sends: `SCM_CREDENTIALS` with another user", Try: forgeCredentials},
	{Name: "sock-diag", What: "list the machine's connections", Try: listSockets,
		Why: "The machine's network is shared; addresses and ports of connections are seen, not what they carry."},
	{Name: "proc-net", What: "read the machine's connections in `/proc/net/tcp`", Try: reads("/proc/net/tcp"),
		Why: "As above."},
	{Name: "proc-net-unix", What: "names of the machine's local sockets in `/proc/net/unix`", Try: reads("/proc/net/unix"),
		Why: "Names only: paths lead nowhere in the container, and Slipway has no abstract ones (see *Slipway's own interfaces*)."},
}

func listens(address string) func() error {
	return func() error {
		l, err := net.Listen("tcp4", address)
		if err != nil {
			return err
		}
		return l.Close()
	}
}

// socketOption sets an option of a TCP socket.
func socketOption(set func(fd int) error) func() error {
	return func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		return errors.Join(set(fd), unix.Close(fd))
	}
}

// sharePort takes connections that are the bystander's.
func sharePort() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
		return err
	}
	return unix.Bind(fd, &unix.SockaddrInet4{Port: BystanderPort, Addr: [4]byte{127, 0, 0, 1}})
}

// forgeCredentials claims to be another process.
func forgeCredentials() error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return unix.Sendmsg(pair[0], []byte("x"), unix.UnixCredentials(&unix.Ucred{Pid: 1, Uid: 12345}), nil, 0)
}
