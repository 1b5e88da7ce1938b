package boot

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"slipway/pkg/machine"
)

// startReadAhead has the programs that the boot runs first decompressed while devices are looked for, which
// leaves a second processor nothing to do: together they cost as much as the
// first container. What else the root holds is read when it is used, and what runs
// already need not be.
func (m *Machine) startReadAhead() error {
	soon := []string{"/usr/bin/runc"}
	if !m.children.sameProgram(machine.Init, machine.Service) {
		soon = append(soon, machine.Service)
	}
	go func() {
		defer m.guard("read ahead")
		m.warn("read ahead", readAll(soon))
	}()
	return nil
}

// readAll reads files for the page cache. Readahead proper stops after a few
// hundred kilobytes. An image need not have them all.
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
		// Without the wrapper, Discard would read by a small buffer of its own.
		_, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{f}, buffer)
		faults = append(faults, err, f.Close())
	}
	return errors.Join(faults...)
}
