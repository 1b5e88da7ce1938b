package device

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
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

// button is an input device with a power key.
type button struct {
	name string
	fd   int
}

// scanButtons opens the input devices that have a power key and are not open yet.
// None is opened to no purpose: closing one waits for the kernel's grace period,
// which takes longer than loading a driver.
func (m *Manager) scanButtons(class, dev string) {
	entries, err := os.ReadDir(class)
	if err != nil {
		return
	}
	for _, e := range entries {
		name := filepath.Join(dev, e.Name())
		if !strings.HasPrefix(e.Name(), "event") || m.hasButton(name) {
			continue
		}
		keys, err := os.ReadFile(filepath.Join(class, e.Name(), "device/capabilities/key"))
		if err != nil || !hasKey(string(keys), keyPower) {
			continue
		}
		fd, err := unix.Open(name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			m.Warn("open power button "+name, err)
			continue
		}
		m.buttons = append(m.buttons, button{name, fd})
	}
}

func (m *Manager) hasButton(name string) bool {
	return slices.ContainsFunc(m.buttons, func(b button) bool { return b.name == name })
}

// readButton reads what a button has to say; one that is gone is closed.
func (m *Manager) readButton(fd int) {
	buffer := make([]byte, 32*inputEvent)
	n, err := unix.Read(fd, buffer)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
		return
	}
	if err != nil || n == 0 {
		m.buttons = slices.DeleteFunc(m.buttons, func(b button) bool { return b.fd == fd })
		if err := unix.Close(fd); err != nil {
			m.Warn("close power button", err)
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
