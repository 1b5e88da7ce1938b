package disk

import (
	"bytes"
	"debug/pe"
	"encoding/binary"
	"strings"
	"testing"
)

func TestUKI(t *testing.T) {
	for arch := range arches {
		b := testBoot(t, arch)
		got := image(t, b)
		f, err := pe.NewFile(bytes.NewReader(got))
		if err != nil {
			t.Fatal(err)
		}
		if f.Machine != arches[arch].machine {
			t.Errorf("%s: machine %#x", arch, f.Machine)
		}
		want := []struct{ name, content string }{
			{".text", "the program itself"},
			{".osrel", "ID=slipway\nPRETTY_NAME=\"box\"\n"},
			{".cmdline", "console=ttyS0 root=/dev/ram0"},
			{".initrd", string(read(t, b.Initrd))},
			{".linux", string(read(t, b.Kernel))},
		}
		if len(f.Sections) != len(want) {
			t.Fatalf("%s: %d sections, want %d", arch, len(f.Sections), len(want))
		}
		header := f.OptionalHeader.(*pe.OptionalHeader64)
		end := uint32(0)
		for i, s := range f.Sections {
			data, err := s.Data()
			if err != nil {
				t.Fatal(err)
			}
			if s.Name != want[i].name || string(data[:s.VirtualSize]) != want[i].content {
				t.Errorf("%s: section %d is %s with %d bytes, want %s with %d", arch, i, s.Name, s.VirtualSize, want[i].name, len(want[i].content))
			}
			if i > 0 && (s.VirtualAddress%sectionAlignment != 0 || s.VirtualAddress < end) {
				t.Errorf("%s: section %s at %#x: not a page of its own behind %#x", arch, s.Name, s.VirtualAddress, end)
			}
			end = s.VirtualAddress + s.VirtualSize
			if s.Offset%header.FileAlignment != 0 || s.Size%header.FileAlignment != 0 {
				t.Errorf("%s: section %s at offset %#x, size %#x: not aligned", arch, s.Name, s.Offset, s.Size)
			}
		}
		if header.SizeOfImage < end || header.CheckSum != 0 {
			t.Errorf("%s: size of image %#x, want at least %#x; check sum %d", arch, header.SizeOfImage, end, header.CheckSum)
		}
		stub := read(t, b.Stub)
		if !bytes.Equal(got[header.SizeOfHeaders:len(stub)], stub[header.SizeOfHeaders:]) {
			t.Errorf("%s: the stub behind its headers has changed", arch)
		}
	}
}

func TestUKIWithoutCmdline(t *testing.T) {
	b := testBoot(t, "amd64")
	b.Cmdline = " \n"
	f, err := pe.NewFile(bytes.NewReader(image(t, b)))
	if err != nil {
		t.Fatal(err)
	}
	if s := f.Section(".cmdline"); s != nil {
		t.Errorf("an empty command line made a section of %d bytes", s.VirtualSize)
	}
}

func TestFaultsLeaveNothing(t *testing.T) {
	amd64 := arches["amd64"].machine
	for _, c := range []struct {
		name  string
		spoil func(*Boot)
		fault string
	}{
		{"no kernel", func(b *Boot) { b.Kernel = "" }, "no kernel given"},
		{"no initrd file", func(b *Boot) { b.Initrd = "/nowhere/initrd" }, "stat /nowhere/initrd: no such file"},
		{"initrd is a directory", func(b *Boot) { b.Initrd = "/" }, "/ is no regular file"},
		{"other arch", func(b *Boot) { b.Arch = "riscv64" }, `architecture "riscv64"`},
		{"kernel of another arch", func(b *Boot) { b.Arch = "arm64" }, "machine type 0x8664, want 0xaa64"},
		{"kernel is no program", func(b *Boot) { b.Kernel = b.Initrd }, "not an EFI program"},
		{"kernel is cut", func(b *Boot) { b.Kernel = write(t, "k", []byte("MZ")) }, "not an EFI program"},
		{"stub is no program", func(b *Boot) { b.Stub = b.Initrd }, "not an EFI program"},
		{"stub is 32 bit", func(b *Boot) {
			stub := read(t, b.Stub)
			binary.LittleEndian.PutUint16(stub[0x80+24:], 0x10b)
			b.Stub = write(t, "s", stub)
		}, "not a 64-bit EFI program"},
		{"stub has half a header", func(b *Boot) {
			stub := read(t, b.Stub)
			binary.LittleEndian.PutUint16(stub[0x80+20:], 96)
			b.Stub = write(t, "s", stub)
		}, "not a 64-bit EFI program"},
		{"stub is signed", func(b *Boot) {
			b.Stub = write(t, "s", program{machine: amd64, headerSize: 0x400, fileAlign: 0x200, signed: true}.bytes(t))
		}, "it is signed"},
		{"stub has no room", func(b *Boot) {
			b.Stub = write(t, "s", program{machine: amd64, headerSize: 0x200, fileAlign: 0x200}.bytes(t))
		}, "its headers have 512 bytes, 592 are needed"},
		{"stub lies about its headers", func(b *Boot) {
			stub := read(t, b.Stub)
			stub[0x80+24+60+2] = 0x7f // SizeOfHeaders
			b.Stub = write(t, "s", stub)
		}, "read headers"},
	} {
		b, dir := testBoot(t, "amd64"), t.TempDir()
		c.spoil(&b)
		_, err := Formats[0].Write(t.Context(), dir, b)
		if err == nil || !strings.Contains(err.Error(), c.fault) || !strings.Contains(err.Error(), "box-efi.img") {
			t.Errorf("%s: error %v, want %q and the file's name", c.name, err, c.fault)
		}
		if left := files(t, dir); left != nil {
			t.Errorf("%s: left %v", c.name, left)
		}
	}
}

func TestSectionsEndBelow4GiB(t *testing.T) {
	h := peHeaders{}
	h.optional.FileAlignment = 0x200
	at, err := h.add(".initrd", 3<<30, 0x1000)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.add(".linux", 1<<30, at); err == nil {
		t.Error("a second section across 4 GiB was taken")
	}
}

func FuzzReadPE(f *testing.F) {
	f.Add([]byte("MZ"))
	t := &testing.T{}
	f.Add(program{machine: 0x8664, headerSize: 0x400, fileAlign: 0x200}.bytes(t))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := readPE(bytes.NewReader(data))
		if err == nil && h.readSections(bytes.NewReader(data)) == nil {
			if int(h.file.NumberOfSections) != len(h.sections) {
				t.Errorf("%d sections read, the header says %d", len(h.sections), h.file.NumberOfSections)
			}
		}
	})
}
