package device

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Of linux/input-event-codes.h.
const (
	evKey    = 1
	keyPower = 116
)

// inputEvent is the size of struct input_event on 64-bit machines: two longs of
// time, then type, code and value.
const inputEvent = 24

// scanButtons opens the input devices that have a power key. One that is open
// already is left out by its name.
func (m *Manager) scanButtons(class, dev string) {
	entries, err := os.ReadDir(class)
	if err != nil {
		return
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "event") {
			continue
		}
		keys, err := os.ReadFile(filepath.Join(class, e.Name(), "device/capabilities/key"))
		if err != nil || !hasKey(string(keys), keyPower) {
			continue
		}
		m.openButton(filepath.Join(dev, e.Name()))
	}
}

func (m *Manager) openButton(name string) {
	if m.seen["button "+name] {
		return
	}
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		m.Warn("open power button "+name, err)
		return
	}
	for _, have := range m.buttons {
		if sameDevice(have, fd) {
			m.closeButton(fd)
			return
		}
	}
	m.buttons = append(m.buttons, fd)
}

func sameDevice(a, b int) bool {
	var sa, sb unix.Stat_t
	return unix.Fstat(a, &sa) == nil && unix.Fstat(b, &sb) == nil && sa.Rdev == sb.Rdev
}

func (m *Manager) closeButton(fd int) {
	if err := unix.Close(fd); err != nil {
		m.Warn("close power button", err)
	}
}

// readButton reads what a button has to say; one that is gone is closed.
func (m *Manager) readButton(fd int) {
	buffer := make([]byte, 32*inputEvent)
	n, err := unix.Read(fd, buffer)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
		return
	}
	if err != nil || n == 0 {
		m.closeButton(fd)
		for i, b := range m.buttons {
			if b == fd {
				m.buttons = append(m.buttons[:i], m.buttons[i+1:]...)
				break
			}
		}
		return
	}
	if pressed(buffer[:n]) {
		m.Button()
	}
}

// pressed says whether the events hold the press of a power key.
func pressed(events []byte) bool {
	for ; len(events) >= inputEvent; events = events[inputEvent:] {
		kind := binary.NativeEndian.Uint16(events[16:])
		code := binary.NativeEndian.Uint16(events[18:])
		value := binary.NativeEndian.Uint32(events[20:])
		if kind == evKey && code == keyPower && value == 1 {
			return true
		}
	}
	return false
}

// hasKey reads a bitmap of /sys: words of 64 bits in hexadecimal, highest first.
func hasKey(bitmap string, key int) bool {
	words := strings.Fields(bitmap)
	i := len(words) - 1 - key/64
	if i < 0 {
		return false
	}
	word, err := strconv.ParseUint(words[i], 16, 64)
	return err == nil && word>>(key%64)&1 == 1
}
