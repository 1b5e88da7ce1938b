package qemu

import (
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"slipway/pkg/port"
	"slipway/test/skip"
)

// On a disk that is full nothing half lies by its name, and all after it is passed over.
func TestCollectNoSpace(t *testing.T) {
	if os.Getuid() != 0 {
		skip.Test(t, skip.Root)
	}
	dir := t.TempDir()
	if err := unix.Mount("x", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	}()
	c, err := collect(Output{Dir: dir, Most: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	block := strings.Repeat("x", 40<<10)
	c.take(piece("a", int64(len(block)), 0, block))
	c.take(piece("b", int64(2*len(block)), 0, block))
	c.take(piece("b", int64(2*len(block)), int64(len(block)), block))
	c.take(piece("c", 1, 0, "c"))
	c.end(&port.Files{Number: 3})
	got := c.result("").String()
	if got != "a file in "+dir+", and not all: write b: no space left on device" {
		t.Error(got)
	}
	if all := tree(t, dir); !slices.Equal(all, []string{"a -rw-r--r--: " + block}) {
		t.Errorf("%d files", len(all))
	}
}
