package output

import (
	"archive/tar"
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"slipway/pkg/build/tree"
	"slipway/pkg/machine"
	"slipway/test/skip"
)

// diskBuiltin gives demo's kernel the drivers of disks.
const diskBuiltin = "lib/modules/6.1/modules.builtin=overlay.ko\nvirtio_pci.ko\nvirtio_blk.ko\n"

// TestRootIsWrittenInPlace has a head of a length that needs filling up, whose place is
// known before the root is written: the archive behind the microcode is whole, its root
// the same as a disk's, and the microcode is in the bootstrap initrd of a disk as well.
func TestRootIsWrittenInPlace(t *testing.T) {
	needSquashfs(t)
	const microcode = "microcode!"
	tr := demo(t, "boot/ucode.cpio="+microcode, diskBuiltin)
	if err := tr.Put("init", tree.Entry{Type: tar.TypeReg, Mode: 0o755, ModTime: tree.Epoch, Inode: tree.Text("#!init")}); err != nil {
		t.Fatal(err)
	}
	to := &Target{Dir: t.TempDir(), Name: "m"}
	for _, format := range []string{"kernel+initrd", "kernel+squashfs"} {
		if err := Write(context.Background(), format, tr, to, Options{Compression: "lz4"}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := to.Commit(); err != nil {
		t.Fatal(err)
	}
	data := read(t, to.Dir, "m-initrd.img")
	after, ok := bytes.CutPrefix(data, []byte(microcode+"\x00\x00"))
	if !ok {
		t.Fatalf("the initrd begins with %q", data[:16])
	}
	list := readCpio(t, bytes.NewReader(after))
	if root := find(list, machine.PayloadRoot); root == nil || root.text != string(read(t, to.Dir, "m-squashfs.img")) {
		t.Error("the root is not that of a disk")
	}
	left, err := os.ReadDir(to.Dir)
	if err != nil || len(left) != 4+1 {
		t.Errorf("%v, %v: want kernel, cmdline, both initrds and the root", left, err)
	}
}

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
