package disk

import (
	"bytes"
	"debug/pe"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/diskfs/go-diskfs/filesystem/fat32"
)

// program is an EFI program of one section, as far as headers go.
type program struct {
	machine     uint16
	headerSize  uint32
	fileAlign   uint32
	signed      bool
	shortHeader bool // an optional header cut short, as kernels and arm64's stub have
}

func (p program) bytes(t *testing.T) []byte {
	t.Helper()
	const start = 0x80
	h := peHeaders{start: start}
	h.file = pe.FileHeader{Machine: p.machine, NumberOfSections: 1, SizeOfOptionalHeader: uint16(binary.Size(h.optional))}
	if p.shortHeader {
		h.file.SizeOfOptionalHeader = 160
	}
	directories := uint32(16)
	if p.shortHeader {
		directories = 6
	}
	h.optional = pe.OptionalHeader64{
		Magic: peMagic64, FileAlignment: p.fileAlign, SectionAlignment: 0x200,
		SizeOfHeaders: p.headerSize, SizeOfImage: 0x2345, CheckSum: 77, NumberOfRvaAndSizes: directories,
	}
	if p.signed {
		h.optional.DataDirectory[peSecurity] = pe.DataDirectory{VirtualAddress: 1, Size: 1}
	}
	body := []byte("the program itself")
	text := pe.SectionHeader32{VirtualAddress: 0x2000, VirtualSize: uint32(len(body)), SizeOfRawData: 0x200, PointerToRawData: p.headerSize}
	copy(text.Name[:], ".text")
	h.sections = []pe.SectionHeader32{text}
	b := make([]byte, p.headerSize+0x200+5) // five bytes behind the last section
	copy(b, "MZ")
	binary.LittleEndian.PutUint32(b[60:], start)
	copy(b[start:], peSignature)
	if err := h.patch(b[:p.headerSize]); err != nil {
		t.Fatal(err)
	}
	copy(b[p.headerSize:], body)
	return b
}

// write puts a file in a directory of the test's own.
func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	name = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// testBoot is made of small files that no machine would boot.
func testBoot(t *testing.T, arch string) Boot {
	t.Helper()
	machine := arches[arch].machine
	return Boot{
		Name: "box", Arch: arch,
		Kernel:  write(t, "kernel", program{machine: machine, headerSize: 0x1000, fileAlign: 0x200, shortHeader: true}.bytes(t)),
		Initrd:  write(t, "initrd", bytes.Repeat([]byte("initrd, odd size. "), 12345)),
		Stub:    write(t, "stub", program{machine: machine, headerSize: 0x400, fileAlign: 0x200, shortHeader: arch == "arm64"}.bytes(t)),
		Cmdline: "console=ttyS0 root=/dev/ram0\n",
	}
}

// image is the unified kernel image that b makes.
func image(t *testing.T, b Boot) []byte {
	t.Helper()
	u, err := planUKI(b)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := u.writeTo(&out); err != nil {
		t.Fatal(err)
	}
	if int64(out.Len()) != u.size {
		t.Fatalf("wrote %d bytes, planned %d", out.Len(), u.size)
	}
	return out.Bytes()
}

// readESP returns the program that a file system holds.
func readESP(t *testing.T, disk string, start, size int64, name string) []byte {
	t.Helper()
	f, err := os.Open(disk)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fs, err := fat32.Read(&medium{File: f}, size, start, sector)
	if err != nil {
		t.Fatalf("read FAT32: %v", err)
	}
	in, err := fs.OpenFile("EFI/BOOT/"+name, os.O_RDONLY)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// files lists a directory.
func files(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
