package disk

import (
	"bytes"
	"debug/pe"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// peHeaders are the headers of a 64-bit PE file as they lie in it. debug/pe has
// the structures; it does not say where they lie, which a writer has to know.
type peHeaders struct {
	start    int64 // of "PE\0\0"
	file     pe.FileHeader
	optional pe.OptionalHeader64
	sections []pe.SectionHeader32
}

const (
	peSignature   = "PE\x00\x00"
	peMagic64     = 0x20b
	peSecurity    = 4 // index of the data directory that holds signatures
	peInitialized = pe.IMAGE_SCN_CNT_INITIALIZED_DATA | pe.IMAGE_SCN_MEM_READ
)

var (
	errNotPE   = errors.New("not an EFI program (no PE header)")
	errNotPE64 = errors.New("not a 64-bit EFI program")
)

// readPE reads the first header of an EFI program. That is all a kernel has to
// have: its optional header may be shorter than the structure.
func readPE(r io.ReaderAt) (*peHeaders, error) {
	dos := make([]byte, 64)
	if _, err := r.ReadAt(dos, 0); err != nil || string(dos[:2]) != "MZ" {
		return nil, errNotPE
	}
	h := &peHeaders{start: int64(binary.LittleEndian.Uint32(dos[60:]))}
	head := make([]byte, len(peSignature)+binary.Size(h.file))
	if _, err := r.ReadAt(head, h.start); err != nil || !bytes.HasPrefix(head, []byte(peSignature)) {
		return nil, errNotPE
	}
	_, err := binary.Decode(head[len(peSignature):], binary.LittleEndian, &h.file)
	return h, err
}

// readSections reads the headers that sections are added to. The optional header
// ends with directories of data, of which a program has as many as it needs: the
// stub for arm64 has 6 of the structure's 16.
func (h *peHeaders) readSections(r io.ReaderAt) error {
	full, given := binary.Size(h.optional), int(h.file.SizeOfOptionalHeader)
	if given < full-binary.Size(h.optional.DataDirectory) {
		return errNotPE64
	}
	header := make([]byte, full)
	if _, err := r.ReadAt(header[:min(full, given)], h.optionalStart()); err != nil {
		return fmt.Errorf("read PE optional header: %w", err)
	}
	if _, err := binary.Decode(header, binary.LittleEndian, &h.optional); err != nil {
		return fmt.Errorf("read PE optional header: %w", err)
	}
	if h.optional.Magic != peMagic64 || h.optional.FileAlignment == 0 {
		return errNotPE64
	}
	h.sections = make([]pe.SectionHeader32, h.file.NumberOfSections)
	if err := readStruct(r, h.tableStart(), h.sections); err != nil {
		return fmt.Errorf("read PE section table: %w", err)
	}
	return nil
}

func readStruct(r io.ReaderAt, at int64, v any) error {
	return binary.Read(io.NewSectionReader(r, at, int64(binary.Size(v))), binary.LittleEndian, v)
}

func (h *peHeaders) optionalStart() int64 {
	return h.start + int64(len(peSignature)+binary.Size(h.file))
}

// tableStart is where the section table lies in the file.
func (h *peHeaders) tableStart() int64 {
	return h.optionalStart() + int64(h.file.SizeOfOptionalHeader)
}

// add appends a section of size bytes, which lie at offset in the file. It
// returns the offset behind it.
func (h *peHeaders) add(name string, size, offset int64) (int64, error) {
	address := alignUp(int64(h.optional.SizeOfImage), sectionAlignment)
	end := alignUp(offset+size, int64(h.optional.FileAlignment))
	if max(end, address+size) > maxUKI {
		return 0, fmt.Errorf("add section %s of %d bytes: an EFI program ends below %d bytes", name, size, int64(maxUKI))
	}
	s := pe.SectionHeader32{
		VirtualSize:      uint32(size),
		VirtualAddress:   uint32(address),
		SizeOfRawData:    uint32(end - offset),
		PointerToRawData: uint32(offset),
		Characteristics:  peInitialized,
	}
	copy(s.Name[:], name)
	h.sections = append(h.sections, s)
	h.file.NumberOfSections++
	h.optional.SizeOfInitializedData += s.SizeOfRawData
	h.optional.SizeOfImage = uint32(alignUp(address+size, sectionAlignment))
	return end, nil
}

// patch puts the headers in place of those in head, a file's first bytes.
func (h *peHeaders) patch(head []byte) error {
	if end := h.tableStart() + int64(binary.Size(h.sections)); end > int64(len(head)) {
		return fmt.Errorf("its headers have %d bytes, %d are needed", len(head), end)
	}
	optional := make([]byte, binary.Size(h.optional))
	if _, err := binary.Encode(optional, binary.LittleEndian, h.optional); err != nil {
		return err
	}
	if _, err := binary.Encode(head[h.start+int64(len(peSignature)):], binary.LittleEndian, h.file); err != nil {
		return err
	}
	copy(head[h.optionalStart():h.tableStart()], optional)
	_, err := binary.Encode(head[h.tableStart():], binary.LittleEndian, h.sections)
	return err
}

func alignUp(n, to int64) int64 { return (n + to - 1) / to * to }
