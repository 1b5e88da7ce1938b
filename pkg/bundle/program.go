package bundle

import (
	"bytes"
	"fmt"
	"hash/fnv"
)

// EncodeProgram writes what a ProgramFile has: 16 bytes that tell of which filter it is, and
// the program that it was compiled to, as the kernel takes it.
func EncodeProgram(filter Filter, program []byte) []byte { return append(filter.sum(), program...) }

// Program reads the bundle's ProgramFile. It is an error if it is that of another filter,
// and fs.ErrNotExist where there is none.
func (b *Bundle) Program() ([]byte, error) {
	data, err := readRegular(b.Path(ProgramFile))
	if err != nil {
		return nil, err
	}
	program, same := bytes.CutPrefix(data, b.Filter.sum())
	if !same {
		return nil, fmt.Errorf("%s: of another filter than that of %s", b.Path(ProgramFile), ConfigFile)
	}
	return program, nil
}

// sum tells filters apart, by FNV-1a of the text. Whoever writes a bundle writes both files, so it is
// against mistakes only, and PID 1 is spared the self-tests of a better one.
func (f Filter) sum() []byte {
	h := fnv.New128a()
	if !f.None() {
		h.Write([]byte(f.text.Value()))
	}
	return h.Sum(nil)
}
