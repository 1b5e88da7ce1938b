package images

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"slices"
	"strings"
	"testing"
)

// module makes the smallest ELF file that has a section .modinfo.
func fakeModule(t *testing.T, info ...string) []byte {
	t.Helper()
	const head = 64
	names := "\x00.modinfo\x00.shstrtab\x00"
	text := strings.Join(info, "\x00") + "\x00"
	at := uint64(head + len(names) + len(text))
	var out bytes.Buffer
	put := func(v any) {
		if err := binary.Write(&out, binary.LittleEndian, v); err != nil {
			t.Fatal(err)
		}
	}
	put(elf.Header64{
		Ident: [16]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_REL), Machine: uint16(elf.EM_X86_64), Version: 1,
		Shoff: at, Ehsize: head, Shentsize: 64, Shnum: 3, Shstrndx: 2,
	})
	out.WriteString(names + text)
	put(elf.Section64{})
	put(elf.Section64{Name: 1, Type: uint32(elf.SHT_PROGBITS), Off: uint64(head + len(names)), Size: uint64(len(text))})
	put(elf.Section64{Name: 10, Type: uint32(elf.SHT_STRTAB), Off: head, Size: uint64(len(names))})
	return out.Bytes()
}

func fakeKernel(t *testing.T) *kmods {
	t.Helper()
	tree := Tree{}
	dir := "lib/modules/6.1.0-x/"
	add := func(file string, info ...string) { tree.AddFile(dir+file, 0o644, fakeModule(t, info...)) }
	add("kernel/fs/overlay.ko", "license=GPL", "depends=")
	add("kernel/net/virtio_net.ko", "depends=virtio,net-failover")
	add("kernel/net/net-failover.ko", "depends=failover")
	add("kernel/net/failover.ko", "depends=")
	add("kernel/drivers/virtio.ko", "depends=virtio_ring", "softdep=pre: virtio-extra crypto-x post: late")
	add("kernel/drivers/virtio_extra.ko", "depends=")
	add("kernel/drivers/late.ko", "depends=")
	add("kernel/broken.ko", "depends=gone")
	tree.AddFile(dir+"modules.builtin", 0o644, []byte("kernel/drivers/virtio-ring.ko\nkernel/fs/ext4/ext4.ko\n"))
	all, err := readModules(tree, "6.1.0-x")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestChooseModules(t *testing.T) {
	all := fakeKernel(t)
	got, err := all.choose([]moduleGroup{
		{Why: "net", Names: []string{"virtio-net", "ext4"}},
		{Why: "maybe", Names: []string{"nosuch"}, Optional: true},
	})
	want := []string{"failover", "late", "net_failover", "virtio", "virtio_extra", "virtio_net"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("chosen %q, %v; want %q", got, err, want)
	}
}

func TestChooseModulesFaults(t *testing.T) {
	_, err := fakeKernel(t).choose([]moduleGroup{{Why: "typing", Names: []string{"overlya", "broken", "overlay"}}})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"no module overlya (typing)", "module broken needs gone"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q lacks %q", err, want)
		}
	}
}

func TestReadModulesFaults(t *testing.T) {
	tree := Tree{}
	if _, err := readModules(tree, "6.1"); err == nil {
		t.Error("a kernel without modules is taken")
	}
	tree.AddFile("lib/modules/6.1/a.ko", 0o644, []byte("no elf"))
	if _, err := readModules(tree, "6.1"); err == nil || !strings.Contains(err.Error(), "lib/modules/6.1/a.ko") {
		t.Errorf("error %v does not name the file", err)
	}
}

func TestFindKernel(t *testing.T) {
	tree := Tree{}
	tree.AddFile("boot/vmlinuz-6.1", 0o644, []byte("bz"))
	tree.AddFile("boot/config-6.1", 0o644, nil)
	release, image, err := findKernel(tree)
	if release != "6.1" || string(image) != "bz" || err != nil {
		t.Errorf("%q %q %v", release, image, err)
	}
	tree.AddFile("boot/vmlinuz-6.2", 0o644, nil)
	if _, _, err := findKernel(tree); err == nil {
		t.Error("two kernels are taken")
	}
	if _, _, err := findKernel(Tree{}); err == nil {
		t.Error("no kernel is taken")
	}
}
