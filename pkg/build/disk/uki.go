package disk

import (
	"debug/pe"
	"errors"
	"fmt"
	"os"
	"strings"
)

const (
	// sectionAlignment is that of pages: the stub's own may be smaller, and the
	// kernel wants its image aligned.
	sectionAlignment = 4096
	// maxUKI is where 32-bit offsets, and files on FAT, end.
	maxUKI = 1<<32 - sectionAlignment
)

// uki is the plan of a unified kernel image: the stub's headers with our
// sections added, the rest of the stub, and what lies in the sections.
type uki struct {
	head  []byte
	parts []part // in order of their offsets
	size  int64
}

// planUKI lays out the image. The kernel comes last: stubs that start it where
// it lies let it unpack over what follows.
func planUKI(b Boot) (*uki, error) {
	machine := arches[b.Arch].machine
	if err := checkMachine(b.Kernel, machine); err != nil {
		return nil, fmt.Errorf("read kernel %s: %w", b.Kernel, err)
	}
	if err := checkMachine(b.Stub, machine); err != nil {
		return nil, fmt.Errorf("read EFI stub %s: %w", b.Stub, err)
	}
	sections := []section{
		// Boot menus show this name when the file is copied to a disk with others.
		{".osrel", text(fmt.Sprintf("ID=slipway\nPRETTY_NAME=%q\n", b.Name))},
		{".cmdline", text(strings.TrimSpace(b.Cmdline))},
		{".initrd", file(b.Initrd)},
		{".linux", file(b.Kernel)},
	}
	u, err := addSections(b.Stub, sections)
	if err != nil {
		return nil, fmt.Errorf("add to EFI stub %s: %w", b.Stub, err)
	}
	return u, nil
}

// section is one that is added.
type section struct {
	name    string
	content content
}

func addSections(stub string, sections []section) (*uki, error) {
	f, err := os.Open(stub)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h, err := readPE(f)
	if err == nil {
		err = h.readSections(f)
	}
	if err != nil {
		return nil, err
	}
	if h.optional.DataDirectory[peSecurity] != (pe.DataDirectory{}) {
		return nil, errors.New("it is signed, and adding to it breaks the signature")
	}
	u := &uki{head: make([]byte, h.optional.SizeOfHeaders)}
	if _, err := f.ReadAt(u.head, 0); err != nil {
		return nil, fmt.Errorf("read headers: %w", err)
	}
	if err := u.place(h, file(stub), sections); err != nil {
		return nil, err
	}
	// The sum is for drivers of another system; firmware does not look at it.
	h.optional.CheckSum = 0
	return u, h.patch(u.head)
}

// place gives the stub and each section its offset, and the headers their new
// sections.
func (u *uki) place(h *peHeaders, stub content, sections []section) error {
	size, err := stub.size()
	if err != nil {
		return err
	}
	skip := int64(len(u.head))
	u.parts = []part{{offset: skip, skip: skip, size: size - skip, content: stub}}
	u.size = alignUp(size, int64(h.optional.FileAlignment))
	for _, s := range sections {
		if size, err = s.content.size(); err != nil {
			return err
		}
		if size == 0 {
			continue
		}
		u.parts = append(u.parts, part{offset: u.size, size: size, content: s.content})
		if u.size, err = h.add(s.name, size, u.size); err != nil {
			return err
		}
	}
	return nil
}

// checkMachine makes sure that the file is an EFI program for the machine.
func checkMachine(name string, machine uint16) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	h, err := readPE(f)
	if err != nil {
		return err
	}
	if h.file.Machine != machine {
		return fmt.Errorf("it is for machine type %#x, want %#x", h.file.Machine, machine)
	}
	return nil
}
