package boot

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// soon are the programs that the boot runs first.
var soon = []string{serviceProgram, "/usr/bin/runc"}

// startReadAhead has them decompressed while devices are looked for, which
// leaves a second processor nothing to do: together they cost as much as the
// first container. What else the root holds is read when it is used.
func (m *Machine) startReadAhead() error {
	go func() {
		defer m.guard("read ahead")
		m.warn("read ahead", readAll(soon))
	}()
	return nil
}

// readAll reads files for the page cache, unless they lie in memory. Readahead proper
// stops after a few hundred kilobytes. An image need not have them all.
func readAll(files []string) error {
	buffer := make([]byte, 64<<10)
	var faults []error
	for _, name := range files {
		f, err := os.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			faults = append(faults, err)
			continue
		}
		if inMemory(f) {
			faults = append(faults, f.Close())
			continue
		}
		// Without the wrapper, Discard would read by a small buffer of its own.
		_, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{f}, buffer)
		faults = append(faults, err, f.Close())
	}
	return errors.Join(faults...)
}

// inMemory tells whether a file is its own page cache, as all of an initramfs is.
func inMemory(f *os.File) bool {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &st); err != nil {
		return false
	}
	return st.Type == unix.TMPFS_MAGIC || st.Type == unix.RAMFS_MAGIC
}
