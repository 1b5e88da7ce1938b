package boot

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// whyNot adds to the error of an execve(2) what it leaves out: of a script whose
// interpreter is missing the kernel says "no such file or directory", and means
// the interpreter.
func whyNot(program string, err error) error {
	info, serr := os.Stat(program)
	if serr != nil {
		return err
	}
	switch {
	case errors.Is(err, unix.EACCES) && info.Mode()&0o111 == 0:
		return fmt.Errorf("%w: it is not executable (mode %#o)", err, info.Mode().Perm())
	case errors.Is(err, unix.ENOEXEC):
		return fmt.Errorf("%w: it has no #! line, and is no program of this machine's", err)
	case errors.Is(err, fs.ErrNotExist):
		if name := missing(program); name != "" {
			return fmt.Errorf("%w: it needs %q, which the image does not have", err, name)
		}
	}
	return err
}

// maxInterpreters is how many interpreters of interpreters the kernel follows.
const maxInterpreters = 5

// missing is the interpreter that is not there: the program's, or that one's own.
func missing(program string) string {
	for range maxInterpreters {
		name := interpreter(program)
		if name == "" {
			return ""
		}
		if _, err := os.Stat(name); err != nil {
			return name
		}
		program = name
	}
	return ""
}

// interpreter is the program that the kernel starts for a script, or for an ELF
// program that is linked dynamically; "" for neither, and for what cannot be read.
func interpreter(program string) string {
	f, err := os.Open(program)
	if err != nil {
		return ""
	}
	defer f.Close()
	// The kernel looks at no more than this of a script.
	start := make([]byte, 256)
	n, err := io.ReadFull(f, start)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return ""
	}
	start = start[:n]
	if line, ok := bytes.CutPrefix(start, []byte("#!")); ok {
		line, _, _ = bytes.Cut(line, []byte("\n"))
		// As the kernel, at blanks and tabs alone: a carriage return is part of the name.
		name, _, _ := strings.Cut(strings.Trim(string(line), " \t"), " ")
		name, _, _ = strings.Cut(name, "\t")
		return name
	}
	return loader(f, start)
}

// loader reads PT_INTERP of a 64-bit little-endian ELF file, as in elf(5), which is
// all that is wanted here of package debug/elf.
func loader(f io.ReaderAt, start []byte) string {
	const (
		headerSize, entrySize = 64, 56
		ptInterp              = 3
		maxName               = 4096
	)
	if len(start) < headerSize || !bytes.HasPrefix(start, []byte("\x7fELF\x02\x01")) {
		return ""
	}
	at, count := binary.LittleEndian.Uint64(start[32:]), binary.LittleEndian.Uint16(start[56:])
	for i := range uint64(count) {
		entry := make([]byte, entrySize)
		if _, err := f.ReadAt(entry, int64(at+i*entrySize)); err != nil {
			return ""
		}
		if binary.LittleEndian.Uint32(entry) != ptInterp {
			continue
		}
		name := make([]byte, min(binary.LittleEndian.Uint64(entry[32:]), maxName))
		if _, err := f.ReadAt(name, int64(binary.LittleEndian.Uint64(entry[8:]))); err != nil {
			return ""
		}
		return string(bytes.TrimRight(name, "\x00"))
	}
	return ""
}
