package output

import (
	"archive/tar"
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slipway/pkg/build/tree"
	"slipway/pkg/machine"
)

// modular has the modules that a root on a disk takes, and one that helps.
const modular = "lib/modules/6.1/modules.dep=" +
	"kernel/virtio_pci.ko:\nkernel/virtio_blk.ko:\nkernel/squashfs.ko:\nkernel/sd_mod.ko: kernel/scsi.ko\nkernel/scsi.ko:\n"

// writeTo writes kernel+squashfs of a tree to a directory.
func writeTo(t *testing.T, dir string, tr *tree.Tree) error {
	t.Helper()
	to := &Target{Dir: dir, Name: "m"}
	if err := Write(context.Background(), "kernel+squashfs", tr, to, Options{}); err != nil {
		return err
	}
	_, err := to.Commit()
	return err
}

// TestBootstrap wants an initrd with the modules in load order for a kernel that
// has them, and none, not even an old one, for a kernel that has all built in.
func TestBootstrap(t *testing.T) {
	needSquashfs(t)
	dir := t.TempDir()
	files := []string{modular}
	for _, name := range []string{"virtio_pci", "virtio_blk", "squashfs", "sd_mod", "scsi"} {
		files = append(files, "lib/modules/6.1/kernel/"+name+".ko="+name)
	}
	if err := writeTo(t, dir, demo(t, files...)); err != nil {
		t.Fatal(err)
	}
	list := readCpio(t, bytes.NewReader(read(t, dir, "m"+bootstrapSuffix)))
	var names []string
	for line := range strings.FieldsSeq(find(list, machine.PayloadModules).text) {
		names = append(names, filepath.Base(line))
	}
	if got, want := strings.Join(names, " "), "virtio_pci.ko virtio_blk.ko squashfs.ko scsi.ko sd_mod.ko"; got != want {
		t.Errorf("modules %s, want %s", got, want)
	}
	if find(list, "init") == nil || find(list, machine.PayloadRoot) != nil {
		t.Error("want /init and no root in the initrd")
	}

	builtin := "lib/modules/6.1/modules.builtin=kernel/virtio_pci.ko\nkernel/virtio_blk.ko\nkernel/squashfs.ko\n"
	if err := writeTo(t, dir, demo(t, "lib/modules/6.1/modules.dep=", builtin)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "m"+bootstrapSuffix)); !os.IsNotExist(err) {
		t.Errorf("the initrd of the build before is still there: %v", err)
	}

	foreign := demo(t, files...)
	foreign.Remove(payloadMarker)
	if err := writeTo(t, t.TempDir(), foreign); err == nil || !strings.Contains(err.Error(), "no /init that loads them") {
		t.Errorf("an init image that cannot load modules: %v", err)
	}
}

// TestNoFileTwice wants a library that two images bring to take its room once.
func TestNoFileTwice(t *testing.T) {
	needSquashfs(t)
	library := make([]byte, 1<<20)
	if _, err := rand.NewChaCha8([32]byte{}).Read(library); err != nil {
		t.Fatal(err)
	}
	tr := demo(t)
	for _, name := range []string{"containers/onboot/000-a/lower/lib/so", "containers/services/b/lower/lib/so"} {
		if err := tr.MkdirAll(filepath.Dir(name), nil); err != nil {
			t.Fatal(err)
		}
		if err := tr.Put(name, tree.Entry{Type: tar.TypeReg, Mode: 0o755, Inode: tree.Text(string(library))}); err != nil {
			t.Fatal(err)
		}
	}
	to := &Target{Dir: t.TempDir(), Name: "m"}
	if err := Write(context.Background(), "kernel+initrd", tr, to, Options{}); err != nil {
		t.Fatal(err)
	}
	if _, err := to.Commit(); err != nil {
		t.Fatal(err)
	}
	if got := len(read(t, to.Dir, "m-initrd.img")); got < len(library) || got > len(library)*5/4 {
		t.Errorf("the initrd has %d bytes, the library %d", got, len(library))
	}
}
