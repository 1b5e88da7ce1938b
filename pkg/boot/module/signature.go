package module

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"

	"slipway/pkg/machine"

	"golang.org/x/sys/unix"
)

// Unsigned tells whether the command line asks for modules without their
// signatures; the last of several words wins.
func Unsigned(cmdline string) bool {
	unsigned := false
	for word := range strings.FieldsSeq(cmdline) {
		if value, ok := strings.CutPrefix(word, machine.OptionModules+"="); ok {
			unsigned = value == "unsigned"
		}
	}
	return unsigned
}

// The end of a signed module, as kernel/module_signature.c has it: the
// signature, a struct module_signature, the marker.
const (
	marker       = "~Module signature appended~\n"
	trailerSize  = 12
	signerLength = 3 // offset of a byte
	keyLength    = 4 // offset of a byte
	sigLength    = 8 // offset of a big-endian word
)

// signatureSize is how many bytes at the end of a file of that size are its
// signature, by the last of them. It is 0 without one, or for one that makes no
// sense.
func signatureSize(end []byte, size int64) int64 {
	rest, signed := bytes.CutSuffix(end, []byte(marker))
	if !signed || len(rest) < trailerSize {
		return 0
	}
	t := rest[len(rest)-trailerSize:]
	n := int64(t[signerLength]) + int64(t[keyLength]) + int64(binary.BigEndian.Uint32(t[sigLength:]))
	if n += trailerSize + int64(len(marker)); n >= size {
		return 0
	}
	return n
}

// errEnforced stands for the answers of a kernel that wants a signature.
var errEnforced = errors.New("the kernel wants a signature")

// enforced tells whether the kernel refused a module for its missing signature:
// EKEYREJECTED with module.sig_enforce, EPERM when it is locked down.
func enforced(err error) bool {
	return errors.Is(err, errEnforced) || errors.Is(err, unix.EKEYREJECTED) || errors.Is(err, unix.EPERM)
}

// insertUnsigned loads a module without its signature, whose check is nine tenths
// of what a module costs. A compressed one has it inside, out of reach.
func insertUnsigned(f *os.File, options string) error {
	if !strings.HasSuffix(f.Name(), ".ko") {
		return errEnforced
	}
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("size of module: %w", err)
	}
	end := make([]byte, trailerSize+len(marker))
	if _, err := f.ReadAt(end, max(0, info.Size()-int64(len(end)))); err != nil {
		return fmt.Errorf("read end of module: %w", err)
	}
	// Mapped, it takes no memory of this process. Only the kernel reads it: where
	// the disk fails, that is an error and no SIGBUS.
	image, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()-signatureSize(end, info.Size())), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return fmt.Errorf("map module: %w", err)
	}
	err = unix.InitModule(image, options)
	return errors.Join(err, unix.Munmap(image))
}
