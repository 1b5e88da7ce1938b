package device

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// Uevent is what the kernel says about a device.
type Uevent struct {
	Action string // add, remove, change, bind, ...
	Values map[string]string
}

// kernelGroup is the multicast group that the kernel itself sends to.
const kernelGroup = 1

// receiveBuffer holds the events of a whole coldplug.
const receiveBuffer = 1 << 20

// subscribe opens a socket that gets the kernel's events.
func subscribe() (int, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return -1, fmt.Errorf("open socket for device events: %w", err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer); err != nil {
		// A container has to do with less.
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer)
		if err != nil {
			return -1, errors.Join(fmt.Errorf("set buffer for device events: %w", err), unix.Close(fd))
		}
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: kernelGroup}); err != nil {
		return -1, errors.Join(fmt.Errorf("subscribe to device events: %w", err), unix.Close(fd))
	}
	return fd, nil
}

// receive returns the events that wait, without blocking.
func receive(fd int) ([]Uevent, error) {
	var list []Uevent
	buffer := make([]byte, 8<<10)
	for {
		n, from, err := unix.Recvfrom(fd, buffer, 0)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			return list, nil
		case errors.Is(err, unix.ENOBUFS):
			return list, errors.New("the kernel dropped device events")
		case err != nil:
			return list, fmt.Errorf("receive device events: %w", err)
		}
		// Only the kernel has port 0; others may send to the group too.
		if sender, ok := from.(*unix.SockaddrNetlink); !ok || sender.Pid != 0 {
			continue
		}
		if e, ok := parse(string(buffer[:n])); ok {
			list = append(list, e)
		}
	}
}

// parse reads ACTION@PATH and the KEY=VALUE words after it, each ended by a NUL.
func parse(message string) (Uevent, bool) {
	head, rest, _ := strings.Cut(message, "\x00")
	action, _, ok := strings.Cut(head, "@")
	if !ok || action == "" {
		return Uevent{}, false
	}
	e := Uevent{Action: action, Values: map[string]string{}}
	for word := range strings.SplitSeq(rest, "\x00") {
		if key, value, ok := strings.Cut(word, "="); ok {
			e.Values[key] = value
		}
	}
	return e, true
}
