package device

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Of linux/input-event-codes.h.
const (
	evKey    = 1
	keyPower = 116
)

// inputEvent is the size of struct input_event on 64-bit machines: two longs of
// time, then type, code and value.
const inputEvent = 24

// scanButtons listens to the input devices that have a power key and that it does
// not listen to yet. None is opened to no purpose: closing one waits for the
// kernel's grace period, which takes longer than loading a driver.
func (m *Manager) scanButtons(class, dev string) {
	entries, err := os.ReadDir(class)
	if err != nil {
		return
	}
	for _, e := range entries {
		name := filepath.Join(dev, e.Name())
		if !strings.HasPrefix(e.Name(), "event") || m.listens(name) {
			continue
		}
		keys, err := os.ReadFile(filepath.Join(class, e.Name(), "device/capabilities/key"))
		if err != nil || !hasKey(string(keys), keyPower) {
			continue
		}
		f, err := os.OpenFile(name, os.O_RDONLY, 0)
		if err != nil {
			m.Warn("open power button "+name, err)
			continue
		}
		m.buttons.Store(name, f)
		go m.listen(f)
	}
}

func (m *Manager) listens(name string) bool {
	_, is := m.buttons.Load(name)
	return is
}

// listen waits for the power button beside the search for devices, in which a
// driver may hang. One press is enough, however often it comes.
func (m *Manager) listen(f *os.File) {
	defer func() { m.caught(recover()) }()
	buffer := make([]byte, 32*inputEvent)
	for {
		n, err := f.Read(buffer)
		if err != nil { // it was unplugged
			m.buttons.Delete(f.Name())
			m.Warn("close power button", f.Close())
			return
		}
		if pressed(buffer[:n]) {
			m.press.Do(m.Button)
		}
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
