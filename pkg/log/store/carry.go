package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"slipway/pkg/bundle"
	"slipway/pkg/log/layout"
	"slipway/pkg/log/rotate"
)

// carriedMax bounds what is kept of one log: of this boot and of those before.
const carriedMax = 10

// Carry copies the logs of a section's finished containers from memory to where
// Link would put a link: for a machine whose /var/log stays. What an earlier
// boot left there is rotated away. It can be called again, and after it was
// killed: a file that is there is known by its size and time.
func Carry(s bundle.Section, p layout.Paths) error {
	p = p.OrDefault()
	from := p.Section(s, "").Dir
	to := filepath.Join(p.Log, filepath.Base(from))
	names, err := filepath.Glob(filepath.Join(from, "*.log"))
	if err != nil || len(names) == 0 || from == p.Log {
		return err
	}
	// A link that was made when the directory did not last leads back to memory.
	if info, err := os.Lstat(to); err == nil && info.Mode()&os.ModeSymlink != 0 {
		if err := os.Remove(to); err != nil {
			return fmt.Errorf("keep logs: %w", err)
		}
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return fmt.Errorf("keep logs: %w", err)
	}
	var errs []error
	for _, name := range names {
		errs = append(errs, carryLog(name, filepath.Join(to, filepath.Base(name))))
	}
	return errors.Join(errs...)
}

// carryLog copies the files of one log, the oldest first.
func carryLog(from, to string) error {
	n := 0
	for rotate.Exists(rotate.Old(from, n)) {
		n++
	}
	for n--; n >= -1; n-- {
		name := from
		if n >= 0 {
			name = rotate.Old(from, n)
		}
		if err := carryFile(name, to); err != nil {
			return fmt.Errorf("keep log %s: %w", strings.TrimSuffix(filepath.Base(from), ".log"), err)
		}
	}
	return nil
}

// carryFile makes a copy the youngest file of a log, unless it is one already.
func carryFile(from, to string) error {
	in, err := layout.OpenRegular(from, os.O_RDONLY, 0)
	if errors.Is(err, layout.ErrNotRegular) {
		return nil // somebody else's, whatever it is
	}
	if err != nil {
		return err
	}
	defer in.Close() // only read from
	info, err := in.Stat()
	if err != nil || info.Size() == 0 || isCarried(info, to) {
		return err
	}
	temp := to + ".new"
	out, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	err = errors.Join(err, out.Close())
	if err == nil {
		err = os.Chtimes(temp, info.ModTime(), info.ModTime())
	}
	if err == nil {
		err = rotate.Shift(to, carriedMax)
	}
	if err == nil {
		err = os.Rename(temp, to)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	return nil
}

// isCarried looks for a file among those of a log.
func isCarried(info os.FileInfo, to string) bool {
	for n := -1; n < carriedMax; n++ {
		name := to
		if n >= 0 {
			name = rotate.Old(to, n)
		}
		there, err := os.Stat(name)
		if err == nil && there.Size() == info.Size() && there.ModTime().Equal(info.ModTime()) {
			return true
		}
	}
	return false
}
