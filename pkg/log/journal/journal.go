package journal

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Bounds on what memory holds: lines without a file, and the file, whose older
// part goes once it is longer than both of its figures together.
const (
	earlyMax  = 64 << 10
	memoryMin = 256 << 10
	memoryMax = 256 << 10
)

// Journal is one program's way to write. The zero value keeps lines until Open.
// A nil Journal keeps nothing.
type Journal struct {
	mu    sync.Mutex
	early []byte
	file  *os.File
	lost  int  // lines
	torn  bool // the file ends with a part of a lost line
}

// stamp is the beginning of each line.
const stamp = "2006-01-02T15:04:05.000Z07:00"

// Open gives the journal its file and writes what was said before.
func (j *Journal) Open(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("open journal: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("open journal: %w", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.file = f
	if len(j.early) > 0 {
		j.write(j.early, 0)
	}
	j.early = nil
	return nil
}

// Add writes text, which may have several lines. It never fails: what a full
// memory does not take is counted, and told as soon as there is room.
func (j *Journal) Add(now time.Time, text string) {
	if j == nil {
		return
	}
	var b strings.Builder
	lines := 0
	for line := range strings.SplitSeq(strings.TrimRight(text, "\r\n"), "\n") {
		b.WriteString(now.UTC().Format(stamp) + " " + line + "\n")
		lines++
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case j.file != nil:
		j.write([]byte(b.String()), lines)
	case len(j.early)+b.Len() <= earlyMax:
		j.early = append(j.early, b.String()...)
	default:
		j.lost += lines
	}
}

// write appends with one write, so that lines of several programs do not mix.
func (j *Journal) write(data []byte, lines int) {
	if j.lost > 0 {
		note := fmt.Sprintf("%s journal: %d lines were lost\n", time.Now().UTC().Format(stamp), j.lost)
		if !j.append([]byte(note)) {
			j.lost += lines
			return
		}
		j.lost = 0
	}
	if !j.append(data) {
		j.lost += lines
		return
	}
	j.trim()
}

// append tells whether all of data was taken. A line that was cut short is
// ended before the next begins.
func (j *Journal) append(data []byte) bool {
	if j.torn {
		data = append([]byte("\n"), data...)
	}
	n, err := j.file.Write(data)
	j.torn = n > 0 && n < len(data) || n == 0 && j.torn
	return err == nil
}

// trim gives back the memory of what is old. The file keeps its length, for
// those who count in it.
func (j *Journal) trim() {
	var st unix.Stat_t
	if unix.Fstat(int(j.file.Fd()), &st) != nil || st.Blocks*512 < memoryMin+memoryMax {
		return
	}
	_ = punch(j.file, st.Size-memoryMin) // then it takes more memory than it should
}

// punch makes a hole of all before end.
func punch(f *os.File, end int64) error {
	end -= end % int64(os.Getpagesize())
	if end <= 0 {
		return nil
	}
	return os.NewSyscallError("fallocate", unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, end))
}

// Close closes the file. A journal without one has nothing to close.
func (j *Journal) Close() error {
	if j == nil {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return nil
	}
	err := j.file.Close()
	j.file = nil
	return err
}
