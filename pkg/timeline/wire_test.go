package timeline

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// machine has ports of these names, and a timeline.
func machine(t *testing.T, ports ...string) (file, sys, dev string) {
	t.Helper()
	dir := t.TempDir()
	file, sys, dev = dir+"/timeline.jsonl", dir+"/sys", dir+"/dev"
	boot(t, file)
	err := os.Mkdir(dev, 0o755)
	for i, name := range ports {
		port := string(rune('0'+i)) + "p1"
		at := filepath.Join(sys, "class/virtio-ports", port)
		err = errors.Join(err, os.MkdirAll(at, 0o755), os.WriteFile(at+"/name", []byte(name+"\n"), 0o600),
			os.WriteFile(filepath.Join(dev, port), nil, 0o600))
	}
	if err != nil {
		t.Fatal(err)
	}
	return file, sys, dev
}

func TestSendAndReceive(t *testing.T) {
	file, sys, dev := machine(t, "org.qemu.guest_agent.0", PortName)
	if err := Send(file, sys, dev); err != nil {
		t.Fatal(err)
	}
	sent, err := os.ReadFile(dev + "/1p1")
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	// A sender that was cut off, and another one after it.
	got, err := Receive(io.MultiReader(bytes.NewReader(sent[:len(sent)/2]), strings.NewReader("\n"), bytes.NewReader(sent)))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%v, %q", err, got)
	}
	if other, err := os.ReadFile(dev + "/0p1"); err != nil || len(other) > 0 {
		t.Errorf("the port of somebody else got %q, %v", other, err)
	}
}

func TestNoPort(t *testing.T) {
	file, sys, dev := machine(t, "org.qemu.guest_agent.0")
	if err := Send(file, sys, dev); !errors.Is(err, ErrNoPort) {
		t.Errorf("%v", err)
	}
}

func TestReceiveWhatIsNone(t *testing.T) {
	for text, want := range map[string]string{
		"":                               "unexpected EOF",
		"boo\n":                          "unexpected EOF",
		wireBegin + "\n{}\n":             "unexpected EOF",
		wireBegin + "\nx\n" + wireEnd:    "wrong checksum",
		strings.Repeat("x\n", maxFile*2): "too long",
		strings.Repeat("x", 1<<20):       "token too long",
	} {
		if _, err := Receive(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %s", text, err, want)
		}
	}
}
