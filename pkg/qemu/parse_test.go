package qemu

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestParsePublish(t *testing.T) {
	good := map[string]Publish{
		"8080:80":         {Host: 8080, Guest: 80},
		"53:5353/udp":     {Host: 53, Guest: 5353, UDP: true},
		"127.0.0.1:22:22": {Addr: "127.0.0.1", Host: 22, Guest: 22},
		"1:2/tcp":         {Host: 1, Guest: 2},
	}
	for in, want := range good {
		if got, err := ParsePublish(in); err != nil || got != want {
			t.Errorf("%q: %+v, %v; want %+v", in, got, err, want)
		}
	}
	for in, want := range map[string]string{
		"": "want [ADDRESS:]HOST:GUEST[/udp]", "80": "want [ADDRESS:]HOST:GUEST[/udp]", "1:2:3:4": "want [ADDRESS:]HOST:GUEST[/udp]",
		"80:": `port "", want`, "a:b": `port "a", want`, "0:80": `port "0", want`, "80:65536": `port "65536", want`, "1:2,hostfwd=x": `port "2,hostfwd=x", want`,
		"1:2/sctp": `protocol "sctp"`, "host:1:2": `"host" is no IPv4 address`, ":1:2": `"" is no IPv4 address`,
	} {
		if got, err := ParsePublish(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, %v; want %s", in, got, err, want)
		}
	}
}

func TestParseDisk(t *testing.T) {
	const g = 1 << 30
	good := map[string]Disk{
		"d.img":                         {File: "d.img", Format: "raw", Bus: "virtio"},
		"d.img,size=1":                  {File: "d.img", Size: g, Format: "raw", Bus: "virtio"},
		"file=d,size=512M,format=qcow2": {File: "d", Size: 512 << 20, Format: "qcow2", Bus: "virtio"},
		"size=2g":                       {File: "fallback", Size: 2 * g, Format: "raw", Bus: "virtio"},
		"d,bus=scsi":                    {File: "d", Format: "raw", Bus: "scsi"},
		"d,size=4k,format=raw,bus=ide":  {File: "d", Size: 4096, Format: "raw", Bus: "ide"},
		"d,bus=nvme":                    {File: "d", Format: "raw", Bus: "nvme"},
		"d,bus=usb":                     {File: "d", Format: "raw", Bus: "usb"},
		"d,serial=data-1":               {File: "d", Format: "raw", Bus: "virtio", Serial: "data-1"},
		"d,size=1T":                     {File: "d", Size: 1 << 40, Format: "raw", Bus: "virtio"},
	}
	for in, want := range good {
		if got, err := ParseDisk(in, "fallback"); err != nil || got != want {
			t.Errorf("%q: %+v, %v; want %+v", in, got, err, want)
		}
	}
	for in, want := range map[string]string{
		"": "no file", "d,size=": `size "", want`, "d,size=-1": `size "-1", want`, "d,size=1X": `size "1X", want`, "d,size=99999999999T": `size "99999999999T", want`,
		"d,format=vmdk": `format "vmdk", want raw, qcow2`, "d,bus=sata": `bus "sata", want virtio`, "d,x=y": `unknown key "x"`, "d,e": `unknown key "e"`,
		"d,serial=": `serial "", want`, "d,serial=a/b": `serial "a/b", want`, "d,serial=..": `serial "..", want`, "d,serial=123456789012345678901": `serial "123456789012345678901", want`,
	} {
		if got, err := ParseDisk(in, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, %v; want %s", in, got, err, want)
		}
	}
}

func TestEnsureDisk(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state", "d.img")
	d := Disk{File: file, Size: 1 << 30, Format: "raw"}
	if err := d.Ensure(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Size() != 1<<30 {
		t.Fatalf("made %v, %v", info, err)
	}
	if err := os.WriteFile(file, []byte("data"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := d.Ensure(); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(file); err != nil || string(data) != "data" {
		t.Errorf("a disk that was there became %q, %v", data, err)
	}
	missing := Disk{File: file + ".other", Format: "raw"}
	if err := missing.Ensure(); err == nil || !strings.Contains(err.Error(), "size=") {
		t.Errorf("a disk without a file or a size: %v", err)
	}
}

func TestResolve(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for name, text := range map[string]string{
		"a-kernel": "", "a-initrd.img": "", "a-cmdline": "console=ttyS0\n",
		"s-kernel": "", "s-initrd.img": "", "s-squashfs.img": "",
		"lone-kernel": "", "x.iso": "", "d.img": "",
		"m-kernel": "", "m-squashfs.img": "", "m-squashfs-initrd.img": "", "m-efi.img": "",
		"e-efi.qcow2": "", "a.yml": "", "b.yaml": "", "two-efi.img": "", "two-efi.iso": "", "c-containerdisk.tar": "",
	} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir("a", 0o755); err != nil { // a directory of that name is in nobody's way
		t.Fatal(err)
	}
	for name, want := range map[string]Boot{
		"a":     {Kernel: "a-kernel", Initrd: "a-initrd.img", Cmdline: "console=ttyS0"},
		"s":     {Kernel: "s-kernel", Squashfs: "s-squashfs.img"},
		"x.iso": {ISO: "x.iso"},
		"x":     {ISO: "x.iso"},
		"d.img": {Disk: "d.img"},
		// A kernel comes before media; its own initrd goes with a squashfs.
		"m":           {Kernel: "m-kernel", Squashfs: "m-squashfs.img", Initrd: "m-squashfs-initrd.img"},
		"m-efi.img":   {Disk: "m-efi.img", EFI: true},
		"e":           {Disk: "e-efi.qcow2", EFI: true},
		"e-efi.qcow2": {Disk: "e-efi.qcow2", EFI: true},
		"two-efi.iso": {ISO: "two-efi.iso", EFI: true},
	} {
		if got, err := Resolve(name, AnyKind); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, want)
		}
	}
	if got, err := Resolve("s", KernelInitrd); err != nil || got.Initrd != "s-initrd.img" {
		t.Errorf("s as kernel+initrd: %+v, %v", got, err)
	}
	if got, err := Resolve("two", ISO); err != nil || got.ISO != "two-efi.iso" {
		t.Errorf("two as ISO: %+v, %v", got, err)
	}
	for name, want := range map[string]string{
		"lone": "lone-initrd.img", "none": "slipway build", "s-": "s-kernel", "two": "name one of them", "c-containerdisk.tar": "qcow2-efi",
		"a.yml": "makes the image a of it", "b.yaml": "makes the image b of it", "a-kernel": "which is called a", "a-initrd.img": "which is called a", "a-cmdline": "which is called a",
		"s-squashfs.img": "which is called s", "m-squashfs-initrd.img": "which is called m",
	} {
		if _, err := Resolve(name, AnyKind); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one that says %q", name, err, want)
		}
	}
}

func TestFindBinary(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv(BinaryEnv, "")
	_, err := FindBinary("", "x86_64")
	if err == nil || !strings.Contains(err.Error(), "apt-get install qemu-system-x86") {
		t.Errorf("without QEMU: %v", err)
	}
	fake := filepath.Join(t.TempDir(), "q")
	if err := os.WriteFile(fake, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv(BinaryEnv, fake)
	if got, err := FindBinary("", "x86_64"); err != nil || got != fake {
		t.Errorf("from the environment: %q, %v", got, err)
	}
	if _, err := FindBinary(fake+"x", "x86_64"); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "(--qemu)") {
		t.Errorf("a --qemu that is not there: %v", err)
	}
}

func TestKernelArch(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kernel")
	for at, want := range map[int]string{0x38: "aarch64", 0x202: "x86_64", 0x100: ""} {
		data := make([]byte, 4096)
		copy(data[at:], map[int]string{0x38: "ARM\x64", 0x202: "HdrS", 0x100: "HdrS"}[at])
		if err := os.WriteFile(file, data, 0o644); err != nil {
			t.Fatal(err)
		}
		if got, err := KernelArch(file); err != nil || got != want {
			t.Errorf("magic at %#x: %q, %v; want %q", at, got, err, want)
		}
	}
	if err := os.WriteFile(file, []byte("short"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := KernelArch(file); err != nil || got != "" {
		t.Errorf("a short file: %q, %v", got, err)
	}
}

// TestWhatQEMUWouldWaitFor refuses a FIFO in the place of every file.
func TestWhatQEMUWouldWaitFor(t *testing.T) {
	dir := t.TempDir()
	fifo, file := filepath.Join(dir, "fifo"), filepath.Join(dir, "file")
	if err := errors.Join(unix.Mkfifo(fifo, 0o600), os.WriteFile(file, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]Config{
		"kernel":   {Boot: Boot{Kernel: fifo, Initrd: file}},
		"initrd":   {Boot: Boot{Kernel: file, Initrd: fifo}},
		"squashfs": {Boot: Boot{Kernel: file, Squashfs: fifo}},
		"ISO":      {Boot: Boot{ISO: fifo}},
		"disk":     {Boot: Boot{Disk: fifo}},
		"disks":    {Boot: Boot{Kernel: file, Initrd: file}, Disks: []Disk{{File: fifo, Format: "raw", Bus: "virtio"}}},
	} {
		if _, err := Start(c, Watch{}, Console{}); err == nil || !strings.Contains(err.Error(), fifo+": is a FIFO") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
