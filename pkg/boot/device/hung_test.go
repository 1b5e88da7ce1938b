package device

import (
	"path/filepath"
	"testing"
	"time"

	"slipway/test/hung"
	"slipway/test/poll"
	"slipway/test/skip"
)

// A disk that hangs is read once, by nobody who has anything else to do, and
// keeps its names.
func TestDiskThatHangs(t *testing.T) {
	skip.UnlessRoot(t, "mounts a file system that hangs")
	dir := t.TempDir()
	release, err := hung.Mount(dir)
	if err != nil {
		t.Fatal(err)
	}
	warned := 0
	m := &Manager{timeout: 10 * time.Millisecond, Warn: func(string, error) { warned++ }}
	node := filepath.Join(dir, "vda")
	m.disks.Store(node, onDisk{uuid: "u", label: "l"})
	for range 3 {
		if u, l := m.identify(node); u != "u" || l != "l" {
			t.Errorf("it is called %q, %q", u, l)
		}
	}
	if warned != 1 {
		t.Errorf("%d warnings", warned)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	poll.Until(t, "it is read no more", func() bool { _, reading := m.reading.Load(node); return !reading })
	m.timeout = time.Minute
	if u, l := m.identify(node); u != "" || l != "" {
		t.Errorf("a disk that is gone is called %q, %q", u, l)
	}
}
