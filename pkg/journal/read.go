package journal

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"time"

	"slipway/pkg/rotate"
)

// Line is one line of a journal.
type Line struct {
	Time time.Time
	Text string
}

// Read gives the lines of this boot, from the disk and from memory.
func (c Carrier) Read() iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) { c.readAll(yield) }
}

// readAll also says where in the journal more will come, and whether it is
// wanted.
func (c Carrier) readAll(yield func(Line, error) bool) (at int64, more bool) {
	parts, err := c.parts(c.Boot)
	if err != nil {
		yield(Line{}, err)
		return 0, false
	}
	for _, p := range parts {
		at = p.base + p.size
		if _, more := readLines(p.path, p.headSize(), yield); !more {
			return at, false
		}
	}
	next, err := c.inMemory(at)
	if err != nil {
		yield(Line{}, fmt.Errorf("read journal: %w", err))
		return at, false
	}
	if next < 0 {
		return at, true
	}
	return readLines(c.From, next, yield)
}

// Previous gives the lines of the boot before, as far as they are on the disk.
func (c Carrier) Previous() iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		boot := ""
		parts, err := c.parts("")
		for _, p := range parts {
			if p.boot != c.Boot {
				boot = p.boot // the youngest comes last
			}
		}
		if err != nil {
			yield(Line{}, err)
			return
		}
		for _, p := range parts {
			if p.boot != boot {
				continue
			}
			if _, more := readLines(p.path, p.headSize(), yield); !more {
				return
			}
		}
	}
}

// part is one file on the disk.
type part struct {
	head
	path string
	size int64
}

func (p part) headSize() int64 { return int64(len(p.String())) }

// parts lists the files of a boot, or of all, the oldest first.
func (c Carrier) parts(boot string) ([]part, error) {
	var parts []part
	path := filepath.Join(c.To, Name)
	for n := filesMax - 1; n >= -1; n-- {
		p := part{path: path}
		if n >= 0 {
			p.path = rotate.Old(path, n)
		}
		var err error
		if p.head, p.size, err = readHead(p.path); err != nil {
			return nil, fmt.Errorf("read journal: %w", err)
		}
		if p.boot != "" && (boot == "" || p.boot == boot) {
			parts = append(parts, p)
		}
	}
	return parts, nil
}

// inMemory is dataFrom of the journal.
func (c Carrier) inMemory(at int64) (int64, error) {
	f, err := os.Open(c.From)
	if errors.Is(err, fs.ErrNotExist) {
		return -1, nil
	}
	if err != nil {
		return -1, err
	}
	defer f.Close() // only read from
	return dataFrom(f, at)
}

// readLines gives the lines of a file from a byte on, and says where it ended;
// more: it may go on.
func readLines(path string, at int64, yield func(Line, error) bool) (end int64, more bool) {
	f, err := os.Open(path)
	if err != nil {
		yield(Line{}, fmt.Errorf("read journal: %w", err))
		return at, false
	}
	defer f.Close() // only read from
	in := bufio.NewReader(io.NewSectionReader(f, at, 1<<62-at))
	for {
		text, err := in.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return at, true // what has no end yet is being written
		}
		if err != nil {
			yield(Line{}, fmt.Errorf("read journal: %w", err))
			return at, false
		}
		at += int64(len(text))
		if !yield(parse(strings.TrimSuffix(text, "\n")), nil) {
			return at, false
		}
	}
}

func parse(line string) Line {
	first, rest, _ := strings.Cut(line, " ")
	at, err := time.Parse(stamp, first)
	if err != nil {
		return Line{Text: line} // the beginning was given back
	}
	return Line{at, rest}
}
