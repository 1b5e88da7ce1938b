// Package rotate renames the files of a log, as LinuxKit's logwrite does.
package rotate

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
)

// Old is the name of an older file of a log: 0 is the youngest.
func Old(path string, n int) string { return path + "." + strconv.Itoa(n) }

// Shift renames path to path.0, path.0 to path.1 and so on, and keeps that many
// of them. Killed half way it leaves a gap, and the next Shift moves only what
// is before the gap: nothing is lost by trying again. Where there is no path, as
// when whoever has moved it was killed before it began the next, none moves.
func Shift(path string, keep int) error {
	if err := removeFrom(path, keep); err != nil || !Exists(path) {
		return err
	}
	if keep == 0 {
		return ignoreMissing(os.Remove(path))
	}
	gap := 0
	for gap < keep-1 && Exists(Old(path, gap)) {
		gap++
	}
	for ; gap > 0; gap-- {
		if err := os.Rename(Old(path, gap-1), Old(path, gap)); err != nil {
			return fmt.Errorf("rotate log: %w", err)
		}
	}
	return ignoreMissing(os.Rename(path, Old(path, 0)))
}

// removeFrom removes the files that a larger number once allowed.
func removeFrom(path string, n int) error {
	for ; Exists(Old(path, n)); n++ {
		if err := os.Remove(Old(path, n)); err != nil {
			return fmt.Errorf("rotate log: %w", err)
		}
	}
	return nil
}

// Exists tells whether there is anything of that name.
func Exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func ignoreMissing(err error) error {
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fmt.Errorf("rotate log: %w", err)
}
