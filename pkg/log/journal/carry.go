package journal

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"slipway/pkg/log/layout"
	"slipway/pkg/log/rotate"
)

// Name is the file in the directory of the logs.
const Name = "boot.log"

// Bounds on what is kept on the disk.
const (
	fileMax  = 1 << 20
	filesMax = 10
)

// bootIDPath changes with every boot of the kernel.
const bootIDPath = "/proc/sys/kernel/random/boot_id"

// Carrier brings a journal to a disk.
type Carrier struct {
	From string // the journal's file
	To   string // the directory of the logs
	Boot string // names this boot; BootID gives it
}

// BootID is the kernel's name of this boot.
func BootID() (string, error) {
	data, err := os.ReadFile(bootIDPath)
	if err != nil {
		return "", fmt.Errorf("name this boot: %w", err)
	}
	return strings.TrimSpace(string(data)), nil
}

// head is the first line of a file on the disk: which boot it is of, and where
// in the journal it begins.
type head struct {
	boot string
	base int64
}

func (h head) String() string { return fmt.Sprintf("-- boot %s, from byte %d --\n", h.boot, h.base) }

// Carry appends what is new to the file on the disk, and gives back the memory
// it took. If another process is at it, nothing is done.
func (c Carrier) Carry() error {
	from, err := os.OpenFile(c.From, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("carry journal: %w", err)
	}
	err = c.carry(from)
	if err := errors.Join(err, from.Close()); err != nil {
		return fmt.Errorf("carry journal: %w", err)
	}
	return nil
}

// carry has the journal itself for a lock: the file on the disk is renamed.
func (c Carrier) carry(from *os.File) error {
	if err := unix.Flock(int(from.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil
		}
		return fmt.Errorf("lock %s: %w", from.Name(), err)
	}
	for {
		more, err := c.step(from)
		if err != nil || !more {
			return err
		}
	}
}

// step fills one file on the disk, and says whether there is more to carry.
func (c Carrier) step(from *os.File) (more bool, err error) {
	to, at, err := c.open(from)
	if err != nil || to == nil {
		return false, err
	}
	n, err := copyFrom(from, at, to)
	if err == nil && n > 0 {
		err = to.Sync()
	}
	if err := errors.Join(err, to.Close()); err != nil {
		return false, err
	}
	if n == 0 {
		return false, nil
	}
	if err := punch(from, at+n); err != nil {
		return false, fmt.Errorf("give back memory: %w", err)
	}
	return true, nil
}

// open gives the file on the disk to append to, and where in the journal that
// goes on; nil if there is nothing to carry.
func (c Carrier) open(from *os.File) (*os.File, int64, error) {
	path := filepath.Join(c.To, Name)
	h, size, err := readHead(path)
	begun := h.boot != ""
	if err == nil && !begun {
		// A carrier may have been killed after it had renamed the one before.
		h, size, err = readHead(rotate.Old(path, 0))
	}
	if err != nil {
		return nil, 0, err
	}
	at := h.base + size
	if h.boot != c.Boot {
		at = 0
	}
	next, err := dataFrom(from, at)
	if err != nil || next < 0 {
		return nil, 0, err
	}
	// A carrier that was killed may have left a part of a line, which goes on there.
	if begun && h.boot == c.Boot && next == at && (size < fileMax || !endsLine(path)) {
		f, err := layout.OpenRegular(path, os.O_WRONLY|os.O_APPEND, 0)
		return f, at, err
	}
	// Another boot's, or long enough, or what is between is gone.
	if err := rotate.Shift(path, filesMax); err != nil {
		return nil, 0, err
	}
	f, err := begin(path, head{c.Boot, next})
	return f, next, err
}

// endsLine tells whether a file ends with a whole line.
func endsLine(path string) bool {
	f, err := layout.OpenRegular(path, os.O_RDONLY, 0)
	if err != nil {
		return true
	}
	defer f.Close() // only read from
	var last [1]byte
	end, err := f.Seek(-1, io.SeekEnd)
	if err == nil {
		_, err = f.ReadAt(last[:], end)
	}
	return err != nil || last[0] == '\n'
}

// dataFrom finds where a journal has something from at on; -1: nowhere. If what
// is there was given back, that is behind the line which it was cut in.
func dataFrom(f *os.File, at int64) (int64, error) {
	next, err := unix.Seek(int(f.Fd()), at, unix.SEEK_DATA)
	if errors.Is(err, unix.ENXIO) {
		return -1, nil
	}
	if err != nil {
		return -1, fmt.Errorf("look for more: %w", err)
	}
	if next == at {
		return next, nil
	}
	cut, err := bufio.NewReader(io.NewSectionReader(f, next, 1<<62-next)).ReadBytes('\n')
	if errors.Is(err, io.EOF) {
		return -1, nil
	}
	return next + int64(len(cut)), err
}

// begin makes a file with its head, whole or not at all.
func begin(path string, h head) (*os.File, error) {
	temp := path + ".new"
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = f.WriteString(h.String())
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(temp))
	}
	return f, nil
}

// readHead gives the head of a file on the disk, and the size of the rest. There
// is none in a file that is not there, or not one of ours.
func readHead(path string) (h head, size int64, err error) {
	f, err := layout.OpenRegular(path, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, layout.ErrNotRegular) {
		return head{}, 0, nil
	}
	if err != nil {
		return head{}, 0, err
	}
	defer f.Close()
	line, err := bufio.NewReaderSize(f, 256).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return head{}, 0, err
	}
	if _, err := fmt.Sscanf(line, "-- boot %s from byte %d --\n", &h.boot, &h.base); err != nil {
		return head{}, 0, nil
	}
	h.boot = strings.TrimSuffix(h.boot, ",")
	info, err := f.Stat()
	if err != nil {
		return head{}, 0, err
	}
	return h, info.Size() - int64(len(line)), nil
}

// copyFrom copies the next lines. A line that is being written waits for its
// end; what was written to the disk before an error counts, as its length says.
func copyFrom(from *os.File, at int64, to *os.File) (int64, error) {
	buf := make([]byte, 32<<10)
	n, err := from.ReadAt(buf, at)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	if cut := bytes.LastIndexByte(buf[:n], '\n') + 1; cut > 0 || n < len(buf) {
		n = cut
	}
	n, err = to.Write(buf[:n])
	return int64(n), err
}
