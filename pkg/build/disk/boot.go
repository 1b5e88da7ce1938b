package disk

import (
	"fmt"

	"slipway/pkg/version"
)

// Boot is what a medium starts: the files of a kernel+initrd build.
type Boot struct {
	Name    string // of the image: what a boot menu shows
	Arch    string // amd64 or arm64
	Kernel  string // file; an EFI program itself, as every Linux with CONFIG_EFI_STUB is
	Initrd  string // file
	Cmdline string // text
	Stub    string // file: systemd's EFI stub for Arch, as StubImage has it
}

// Where the stub for either architecture comes from: a file of an image of ours.
const (
	StubImage = "slipway/efi-stub:" + version.ImageTag
	StubFile  = "linux.efi.stub"
)

// arch is what EFI calls an architecture.
type arch struct {
	machine uint16 // in the header of a PE file
	file    string // what firmware looks for on a medium that it knows nothing of
}

// From the PE format's machine types, and the UEFI specification, section
// "Removable Media Boot Behavior".
var arches = map[string]arch{
	"amd64": {machine: 0x8664, file: "BOOTX64.EFI"},
	"arm64": {machine: 0xaa64, file: "BOOTAA64.EFI"},
}

func (b Boot) check() error {
	if _, ok := arches[b.Arch]; !ok {
		return fmt.Errorf("architecture %q: EFI images are made for amd64 and arm64", b.Arch)
	}
	for _, given := range []struct{ what, value string }{
		{"name", b.Name}, {"kernel", b.Kernel}, {"initrd", b.Initrd}, {"EFI stub", b.Stub},
	} {
		if given.value == "" {
			return fmt.Errorf("no %s given", given.what)
		}
	}
	return nil
}
