package device

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"slipway/test/poll"

	"golang.org/x/sys/unix"
)

func TestParse(t *testing.T) {
	e, ok := parse("add@/devices/pci0000:00/virtio0\x00ACTION=add\x00SUBSYSTEM=virtio\x00MODALIAS=virtio:d00000001v00001AF4\x00SEQNUM=1\x00")
	want := Uevent{Action: "add", Values: map[string]string{
		"ACTION": "add", "SUBSYSTEM": "virtio", "MODALIAS": "virtio:d00000001v00001AF4", "SEQNUM": "1"}}
	if !ok || !reflect.DeepEqual(e, want) {
		t.Errorf("got %+v, %v", e, ok)
	}
	for _, message := range []string{"", "libudev\x00\xfe\xed", "@/x\x00", "noise"} {
		if _, ok := parse(message); ok {
			t.Errorf("%q is taken for an event", message)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("add@/devices/x\x00A=B\x00")
	f.Fuzz(func(t *testing.T, message string) {
		if e, ok := parse(message); ok && e.Action == "" {
			t.Error("an event without an action")
		}
	})
}

func TestScan(t *testing.T) {
	sys := t.TempDir()
	for name, text := range map[string]string{
		"bus/pci/devices/0000:00:01.0/modalias": "pci:a\n",
		"bus/pci/devices/0000:00:02.0/modalias": "pci:a\n",
		"bus/acpi/devices/x/modalias":           "\n",
		"bus/usb/devices/y/other":               "z",
		"class/input/input0/modalias":           "input:b\n",
		"class/net/eth0/modalias":               "not:this\n",
	} {
		file := filepath.Join(sys, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got := scan(sys); !slices.Equal(got, []string{"pci:a", "input:b"}) {
		t.Errorf("got %v", got)
	}
}

func TestHasKey(t *testing.T) {
	for bitmap, want := range map[string]bool{
		"10000000000000 0": true, // a power button: bit 116
		// Keyboards may have the key as well.
		"402000000 3803078f800d001 feffffdfffefffff fffffffffffffffe": true,
		"402000000 3803078f800d001 fecfffdfffefffff fffffffffffffffe": false,

		"30000000000000 0 0": false,
		"10000000000000":     false,
		"":                   false,
		"zz 0":               false,
	} {
		if got := hasKey(bitmap, keyPower); got != want {
			t.Errorf("%q: %v", bitmap, got)
		}
	}
}

func event(kind, code uint16, value uint32) []byte {
	b := make([]byte, inputEvent)
	binary.NativeEndian.PutUint16(b[16:], kind)
	binary.NativeEndian.PutUint16(b[18:], code)
	binary.NativeEndian.PutUint32(b[20:], value)
	return b
}

// TestButton presses a button again and again, unplugs it and plugs in another.
func TestButton(t *testing.T) {
	class, dev := t.TempDir(), t.TempDir()
	if err := os.MkdirAll(class+"/event0/device/capabilities", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(class+"/event0/device/capabilities/key", []byte("10000000000000 0"), 0o644); err != nil {
		t.Fatal(err)
	}
	calls := make(chan struct{}, 10)
	m := &Manager{Button: func() { calls <- struct{}{} }, caught: func(any) {}, Warn: func(what string, err error) {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}}
	for range 2 {
		if err := unix.Mkfifo(dev+"/event0", 0o600); err != nil {
			t.Fatal(err)
		}
		hands, err := os.OpenFile(dev+"/event0", os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		m.scanButtons(class, dev)
		m.scanButtons(class, dev) // listens to it already
		for range 3 {
			if _, err := hands.Write(append(event(evKey, keyPower, 1), event(evKey, keyPower, 0)...)); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(hands.Close(), os.Remove(dev+"/event0")); err != nil {
			t.Fatal(err)
		}
		// All that was written is read first.
		poll.Until(t, "it is left", func() bool { return !m.listens(dev + "/event0") })
	}
	if n := len(calls); n != 1 {
		t.Errorf("called %d times", n)
	}
}

// A panic must not end PID 1.
func TestPanicIsCaught(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	caught := make(chan any, 1)
	m := &Manager{Button: func() { panic("pressed") }, caught: func(cause any) { caught <- cause }}
	go m.listen(r)
	if _, err := w.Write(event(evKey, keyPower, 1)); err != nil {
		t.Fatal(err)
	}
	if cause := <-caught; cause != "pressed" {
		t.Errorf("caught %v", cause)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

func TestPressed(t *testing.T) {
	press, release, sync := event(evKey, keyPower, 1), event(evKey, keyPower, 0), event(0, 0, 0)
	if !pressed(append(slices.Clone(sync), press...)) {
		t.Error("a press is not seen")
	}
	if pressed(append(slices.Clone(release), sync...)) || pressed(press[:20]) || pressed(event(evKey, 30, 1)) {
		t.Error("something else is taken for a press")
	}
}
