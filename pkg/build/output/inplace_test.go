package output

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"testing"

	"slipway/pkg/build/tree"
	"slipway/pkg/machine"
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

// TestTablesOfTheRoot: inodes and directories are not compressed, which a boot need not unpack then; of the
// files' contents and their ends alone the compression decides.
func TestTablesOfTheRoot(t *testing.T) {
	needSquashfs(t)
	const flagsAt, inodes, contents, ends = 24, 1 << 0, 1 << 1, 1 << 3 // of the superblock
	for _, compression := range Compressions() {
		list := readCpio(t, bytes.NewReader(read(t, build(t, "kernel+initrd", Options{Compression: compression}), "m-initrd.img")))
		root := find(list, machine.PayloadRoot)
		flags := binary.LittleEndian.Uint16([]byte(root.text)[flagsAt:])
		if flags&inodes == 0 {
			t.Errorf("%s: the table of inodes is compressed", compression)
		}
		if plain := flags&contents != 0 && flags&ends != 0; plain != (compression == "none") {
			t.Errorf("%s: flags are %#x", compression, flags)
		}
	}
}
