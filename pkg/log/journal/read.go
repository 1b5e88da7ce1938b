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

	"slipway/pkg/log/layout"
	"slipway/pkg/log/rotate"
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
// wanted. A disk that does not answer is an error, after which comes what memory
// has.
func (c Carrier) readAll(yield func(Line, error) bool) (at int64, more bool) {
	disk, err := c.fromDisk(func(boot string, _ []part) bool { return boot == c.Boot })
	if err != nil && !yield(Line{}, err) {
		return 0, false
	}
	for _, l := range disk.lines {
		if !yield(l, nil) {
			return disk.end, false
		}
	}
	next, err := c.inMemory(disk.end)
	if err != nil {
		yield(Line{}, fmt.Errorf("read journal: %w", err))
		return disk.end, false
	}
	if next < 0 {
		return disk.end, true
	}
	return readLines(c.From, next, yield)
}

// Previous gives the lines of the boot before, as far as they are on the disk.
func (c Carrier) Previous() iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		disk, err := c.fromDisk(func(boot string, all []part) bool {
			last := ""
			for _, p := range all {
				if p.boot != c.Boot {
					last = p.boot // the youngest comes last
				}
			}
			return boot == last
		})
		if err != nil {
			yield(Line{}, err)
			return
		}
		for _, l := range disk.lines {
			if !yield(l, nil) {
				return
			}
		}
	}
}

// carried is what a disk has of one boot.
type carried struct {
	lines []Line
	end   int64 // where in the journal they end
}

// diskTimeout is how long a disk may take to give them.
const diskTimeout = 3 * time.Second

// fromDisk reads the parts that want picks, by their boot and all that there are.
func (c Carrier) fromDisk(want func(boot string, all []part) bool) (carried, error) {
	type result struct {
		carried
		err error
	}
	done := make(chan result, 1)
	go func() {
		var r result
		r.carried, r.err = c.readParts(want)
		done <- r
	}()
	timeout := time.NewTimer(diskTimeout)
	defer timeout.Stop()
	select {
	case r := <-done:
		return r.carried, r.err
	case <-timeout.C:
		return carried{}, fmt.Errorf("read journal: the disk of %s does not answer", c.To)
	}
}

func (c Carrier) readParts(want func(boot string, all []part) bool) (r carried, err error) {
	parts, err := c.parts()
	for _, p := range parts {
		if err != nil || !want(p.boot, parts) {
			continue
		}
		r.end = p.base + p.size
		readLines(p.path, p.headSize(), func(l Line, fault error) bool {
			r.lines, err = append(r.lines, l), fault
			return fault == nil
		})
	}
	return r, err
}

// part is one file on the disk.
type part struct {
	head
	path string
	size int64
}

func (p part) headSize() int64 { return int64(len(p.String())) }

// parts lists the files on the disk, the oldest first.
func (c Carrier) parts() ([]part, error) {
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
		if p.boot != "" {
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
	f, err := layout.OpenRegular(path, os.O_RDONLY, 0)
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
