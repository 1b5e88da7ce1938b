package device

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"slipway/test/skip"
)

func TestIdentify(t *testing.T) {
	disk := func(parts ...any) []byte {
		data := make([]byte, probeSize)
		for i := 0; i < len(parts); i += 2 {
			copy(data[parts[i].(int):], parts[i+1].(string))
		}
		return data
	}
	const uuid = "\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff\x01"
	const text = "11223344-5566-7788-99aa-bbccddeeff01"
	for name, c := range map[string]struct {
		data        []byte
		uuid, label string
	}{
		"empty":    {disk(), "", ""},
		"short":    {[]byte("XFSB"), "", ""},
		"ext4":     {disk(0x438, "\x53\xef", 0x468, uuid, 0x478, "my data\x00rest"), text, "my data"},
		"xfs":      {disk(0, "XFSB", 0x20, uuid, 0x6c, "twelve-chars"), text, "twelve-chars"},
		"btrfs":    {disk(0x10040, "_BHRfS_M", 0x10020, uuid, 0x1012b, "b"), text, "b"},
		"swap":     {disk(0xff6, "SWAPSPACE2", 0x40c, uuid), text, ""},
		"fat32":    {disk(0x52, "FAT32   ", 0x43, "\x78\x56\x34\x12", 0x47, "NO NAME    "), "1234-5678", ""},
		"fat16":    {disk(0x36, "FAT16   ", 0x27, "\x78\x56\x34\x12", 0x2b, "BOOT       "), "1234-5678", "BOOT"},
		"metadata": {disk(0x8001, "CD001", 0x8028, "config"+strings.Repeat(" ", 26)), "", "config"},
	} {
		if uuid, label := identify(c.data); uuid != c.uuid || label != c.label {
			t.Errorf("%s: %q, %q", name, uuid, label)
		}
	}
}

// Our offsets are those of the program that makes the filesystem.
func TestIdentifyRealExt4(t *testing.T) {
	mkfs, err := exec.LookPath("mkfs.ext4")
	if err != nil {
		skip.Test(t, skip.Program, "mkfs.ext4 (e2fsprogs)")
	}
	file := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(file, make([]byte, 4<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	const uuid = "01234567-89ab-cdef-0123-456789abcdef"
	if out, err := exec.Command(mkfs, "-q", "-F", "-U", uuid, "-L", "data", file).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if u, l := identify(head(file)); u != uuid || l != "data" {
		t.Errorf("%q, %q", u, l)
	}
}

func TestLinkName(t *testing.T) {
	for text, want := range map[string]string{
		"data": "data", "my data": `my\x20data`, "../../etc": `..\x2f..\x2fetc`, "..": "", ".": "", "": "", "é": "é",
		strings.Repeat("x", 256): "",
	} {
		if got := linkName(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestLinkDisks(t *testing.T) {
	root := t.TempDir()
	class, dev := filepath.Join(root, "class"), filepath.Join(root, "dev")
	put := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put(class+"/vda/size", "100\n")
	put(class+"/vda/serial", "S 1\n")
	put(class+"/vda1/size", "50\n")
	put(class+"/vda1/uevent", "MAJOR=254\nPARTN=1\nPARTNAME=root\n")
	put(class+"/loop0/size", "0\n")
	put(class+"/loop0/serial", "never\n")
	put(dev+"/vda", "")
	m := &Manager{Warn: func(what string, err error) {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}}
	links := func() string {
		found, err := filepath.Glob(dev + "/disk/*/*")
		if err != nil {
			t.Fatal(err)
		}
		var list []string
		for _, l := range found {
			target, err := os.Readlink(l)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, strings.TrimPrefix(l, dev+"/disk/")+" -> "+target)
		}
		return strings.Join(list, ", ")
	}
	m.linkDisks(class, dev)
	if got := links(); got != `by-id/virtio-S\x201 -> ../../vda, by-partlabel/root -> ../../vda1` {
		t.Errorf("links: %s", got)
	}
	if err := os.RemoveAll(class + "/vda1"); err != nil {
		t.Fatal(err)
	}
	m.linkDisks(class, dev)
	if got := links(); got != `by-id/virtio-S\x201 -> ../../vda` {
		t.Errorf("links after the partition went: %s", got)
	}
}

func FuzzIdentify(f *testing.F) {
	f.Add([]byte("XFSB"))
	f.Fuzz(func(t *testing.T, data []byte) {
		uuid, label := identify(data)
		for _, name := range []string{linkName(uuid), linkName(label)} {
			if strings.Contains(name, "/") || name == ".." {
				t.Errorf("link %q", name)
			}
		}
	})
}
