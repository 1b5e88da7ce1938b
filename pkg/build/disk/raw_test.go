package disk

import (
	"bytes"
	"os"
	"testing"

	"github.com/diskfs/go-diskfs/filesystem/fat32"
	"github.com/diskfs/go-diskfs/partition/gpt"

	"slipway/pkg/build/tree"
)

// make writes the medium that a format makes of b, in a directory of its own.
func makeMedium(t *testing.T, format string, b Boot) string {
	t.Helper()
	f, ok := Find(format)
	if !ok {
		t.Fatalf("no format %s", format)
	}
	out, err := f.Write(t.Context(), t.TempDir(), b)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestRawEFI(t *testing.T) {
	for arch, program := range map[string]string{"amd64": "BOOTX64.EFI", "arm64": "BOOTAA64.EFI"} {
		b := testBoot(t, arch)
		out := makeMedium(t, "raw-efi", b)
		table := readTable(t, out)
		if len(table.Partitions) != 1 || table.RecoveredFromBackup || !table.ProtectiveMBR {
			t.Fatalf("%s: partition table %+v", arch, table)
		}
		p := table.Partitions[0]
		if p.Type != gpt.EFISystemPartition || p.Start != 2048 || p.GUID == table.GUID {
			t.Errorf("%s: partition %+v", arch, p)
		}
		got := readESP(t, out, mib, int64(p.Size), program)
		if !bytes.Equal(got, image(t, b)) {
			t.Errorf("%s: %s on the disk has %d bytes and is not the image", arch, program, len(got))
		}
	}
}

func readTable(t *testing.T, disk string) *gpt.Table {
	t.Helper()
	f, err := os.Open(disk)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	table, err := gpt.Read(f, sector, sector)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestOtherContentOtherIdentifiers(t *testing.T) {
	b := testBoot(t, "amd64")
	one := makeMedium(t, "raw-efi", b)
	b.Cmdline += " quiet"
	two := makeMedium(t, "raw-efi", b)
	if a, b := readTable(t, one), readTable(t, two); a.GUID == b.GUID || a.Partitions[0].GUID == b.Partitions[0].GUID {
		t.Errorf("two disks share the identifier %s or %s", a.GUID, a.Partitions[0].GUID)
	}
	if a, b := serial(t, one), serial(t, two); bytes.Equal(a, b) {
		t.Errorf("two file systems share the serial number %x", a)
	}
}

// serial is the serial number of a disk's file system; its boot sector and the
// backup of that must be the same.
func serial(t *testing.T, disk string) []byte {
	t.Helper()
	data := read(t, disk)[mib:]
	boot, backup := data[:sector], data[6*sector:7*sector]
	if !bytes.Equal(boot, backup) {
		t.Errorf("%s: boot sector and backup differ", disk)
	}
	return boot[67:71]
}

func TestTimes(t *testing.T) {
	out := makeMedium(t, "raw-efi", testBoot(t, "amd64"))
	f, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fs, err := fat32.Read(&medium{File: f}, minESP, mib, sector)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, dir := range []string{".", "EFI", "EFI/BOOT"} {
		entries, err := fs.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			info, err := e.Info()
			if err != nil {
				t.Fatal(err)
			}
			seen++
			if !info.ModTime().UTC().Equal(tree.Epoch) {
				t.Errorf("%s in %s is of %v, want %v", e.Name(), dir, info.ModTime().UTC(), tree.Epoch)
			}
		}
	}
	if seen < 3 {
		t.Errorf("%d entries, want EFI, BOOT and the program at least", seen)
	}
}

func TestESPSize(t *testing.T) {
	// Clusters are of 512 bytes up to 260 MiB, of 4096 above.
	for _, n := range []int64{1, minESP, 250 * mib, 254 * mib, 255 * mib, 260 * mib, 300 * mib} {
		dir := t.TempDir()
		err := create(t.Context(), dir+"/esp", func(m *medium) error {
			fs, err := fat32.Create(m, espSize(n), 0, sector, "ESP", true)
			if err != nil {
				return err
			}
			if err := fs.Mkdir("EFI/BOOT"); err != nil {
				return err
			}
			_, err = reserve(fs, "EFI/BOOT/X", n)
			return err
		})
		if err != nil {
			t.Errorf("a file of %d bytes in %d: %v", n, espSize(n), err)
		}
		boot := read(t, dir+"/esp")[:sector]
		clusters := (espSize(n)/sector - 32) / int64(boot[13])
		// Tables take up to 2 in 130 of the space; this many remain, for FAT32.
		if clusters*128/130 < 65525 {
			t.Errorf("%d bytes: about %d clusters: firmware takes that for FAT16", espSize(n), clusters)
		}
	}
}
