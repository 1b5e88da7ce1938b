package qemu

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Publish forwards a port of the host to one of the guest.
type Publish struct {
	Addr  string // host address; empty: all
	Host  int
	Guest int
	UDP   bool
}

// ParsePublish reads [ADDR:]HOST:GUEST[/tcp|/udp].
func ParsePublish(s string) (Publish, error) {
	ports, proto, _ := strings.Cut(s, "/")
	var p Publish
	switch proto {
	case "", "tcp":
	case "udp":
		p.UDP = true
	default:
		return p, fmt.Errorf("publish %q: protocol %q, want tcp or udp", s, proto)
	}
	fields := strings.Split(ports, ":")
	if len(fields) == 3 {
		if addr, err := netip.ParseAddr(fields[0]); err != nil || !addr.Is4() {
			return p, fmt.Errorf("publish %q: %q is no IPv4 address", s, fields[0])
		}
		p.Addr, fields = fields[0], fields[1:]
	}
	if len(fields) != 2 {
		return p, fmt.Errorf("publish %q: want [ADDRESS:]HOST:GUEST[/udp]", s)
	}
	for i, port := range []*int{&p.Host, &p.Guest} {
		n, err := strconv.Atoi(fields[i])
		if err != nil || n < 1 || n > 65535 {
			return p, fmt.Errorf("publish %q: port %q, want 1 to 65535", s, fields[i])
		}
		*port = n
	}
	return p, nil
}

// check makes sure that the port is free: QEMU would only say that it could not
// set up a rule. Whoever takes it in between still gets QEMU's words.
func (p Publish) check() error {
	addr := net.JoinHostPort(p.Addr, strconv.Itoa(p.Host))
	var l io.Closer
	var err error
	if p.UDP {
		l, err = net.ListenPacket("udp4", addr)
	} else {
		l, err = net.Listen("tcp4", addr)
	}
	if err != nil {
		return fmt.Errorf("publish port %d of this host: %w", p.Host, err)
	}
	return l.Close()
}

// rule is the option of QEMU's user network.
func (p Publish) rule() string {
	proto := "tcp"
	if p.UDP {
		proto = "udp"
	}
	return fmt.Sprintf("hostfwd=%s:%s:%d-:%d", proto, p.Addr, p.Host, p.Guest)
}
