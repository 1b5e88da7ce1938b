// Package record writes records that are on the disk when their writer says so,
// and reads back what is there. The writer runs in a machine whose power is cut;
// the reader wants everything that was said.
package record

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Kinds of records: lines at the end of a file, files, and a file that takes
// another one's name.
var Kinds = []string{"line", "file", "name"}

// Line is record n as it is stored.
func Line(n int) string {
	text := fmt.Sprintf("%08d %s", n, strings.Repeat(string(rune('a'+n%26)), 40))
	return fmt.Sprintf("%s %08x\n", text, crc32.ChecksumIEEE([]byte(text)))
}

// Write writes records into dir until something fails, and says each when it is
// to last. Beside them it writes what nobody waits for, so that the disk has
// writes under way that no flush has followed yet.
func Write(dir string, said func(kind string, n int) error) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	lines, err := os.OpenFile(dir+"/lines", os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	noisy := make(chan error, 1)
	go func() { noisy <- makeNoise(dir + "/noise") }()
	for n := 1; ; n++ {
		select {
		case err := <-noisy:
			return err
		default:
		}
		_, err := lines.WriteString(Line(n))
		if err := errors.Join(err, lines.Sync()); err != nil {
			return err
		}
		if err := said("line", n); err != nil {
			return err
		}
		if err := store(dir, fileName(n), n); err != nil {
			return err
		}
		if err := said("file", n); err != nil {
			return err
		}
		if err := store(dir, "next", n); err != nil {
			return err
		}
		if err := errors.Join(os.Rename(dir+"/next", dir+"/current"), syncDir(dir)); err != nil {
			return err
		}
		if err := said("name", n); err != nil {
			return err
		}
	}
}

// makeNoise writes, and has the kernel begin to store it, without end.
func makeNoise(name string) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	for n := 1; ; n++ {
		if _, err := f.WriteAt([]byte(strings.Repeat(Line(n), 1000)), int64(n*7919%64)<<16); err != nil {
			return err
		}
		if err := unix.SyncFileRange(int(f.Fd()), 0, 0, unix.SYNC_FILE_RANGE_WRITE); err != nil {
			return err
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func fileName(n int) string { return fmt.Sprintf("file%08d", n) }

// store makes a file and has it last, with its name.
func store(dir, name string, n int) error {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(Line(n))
	return errors.Join(err, f.Sync(), f.Close(), syncDir(dir))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Read tells for each kind up to which record all are there.
func Read(dir string) (map[string]int, error) {
	found := map[string]int{}
	lines, err := os.ReadFile(dir + "/lines")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for rest := string(lines); ; found["line"]++ {
		var is bool
		if rest, is = strings.CutPrefix(rest, Line(found["line"]+1)); !is {
			break
		}
	}
	for {
		text, err := os.ReadFile(filepath.Join(dir, fileName(found["file"]+1)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if string(text) != Line(found["file"]+1) {
			break
		}
		found["file"]++
	}
	current, err := os.ReadFile(dir + "/current")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if len(current) > 8 {
		if n, err := strconv.Atoi(string(current[:8])); err == nil && string(current) == Line(n) {
			found["name"] = n
		}
	}
	return found, nil
}
