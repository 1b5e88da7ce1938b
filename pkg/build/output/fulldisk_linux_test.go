package output

import (
	"context"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"slipway/test/skip"
)

// TestFullDisk names the file that does not fit, whoever was writing it.
func TestFullDisk(t *testing.T) {
	needSquashfs(t)
	for _, c := range []struct{ format, file string }{
		{"kernel+initrd", "m-initrd.img"}, {"kernel+squashfs", "m-squashfs.img"}, {"tar", "m.tar"}, {"tar-kernel-initrd", "m-initrd.img"},
	} {
		dir := t.TempDir()
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
			skip.Test(t, skip.Root, "mount: ", err)
		}
		t.Cleanup(func() {
			if err := unix.Unmount(dir, 0); err != nil {
				t.Error(err)
			}
		})
		random := make([]byte, 1<<20)
		if _, err := rand.NewChaCha8([32]byte{1}).Read(random); err != nil {
			t.Fatal(err)
		}
		to := &Target{Dir: dir, Name: "m"}
		err := Write(context.Background(), c.format, demo(t, "large="+string(random), diskBuiltin), to, Options{})
		if err == nil || !strings.Contains(err.Error(), c.file) || !strings.Contains(strings.ToLower(err.Error()), "no space left on device") {
			t.Errorf("%s: got %v, want a word of %s", c.format, err, c.file)
		}
		if err := to.Discard(); err != nil {
			t.Error(err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			t.Errorf("%s: left behind: %v %v", c.format, left, err)
		}
	}
}
