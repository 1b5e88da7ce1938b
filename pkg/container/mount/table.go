package mount

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Entry is one line of mountinfo, proc(5).
type Entry struct {
	ID, Parent int
	Dev        string // of the filesystem, MAJOR:MINOR
	Target     string // where, as seen from our root
	Type       string
	Source     string
	Super      string // options of the filesystem
}

// Table reads what is mounted in this mount namespace.
func Table() ([]Entry, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	entries, err := ReadTable(f)
	return entries, closing(f, err)
}

func closing(c io.Closer, err error) error {
	if closeErr := c.Close(); err == nil {
		return closeErr
	}
	return err
}

// ReadTable parses the format of /proc/PID/mountinfo. A line has no bound of ours:
// an overlay of 500 layers, which a container may be allowed to mount where we see
// it, has one of 2 MB.
func ReadTable(r io.Reader) ([]Entry, error) {
	var all []Entry
	for lines := bufio.NewReader(r); ; {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) && line == "" {
			return all, nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("read mountinfo: %w", err)
		}
		e, err := parseEntry(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return nil, fmt.Errorf("mountinfo: %w", err)
		}
		all = append(all, e)
	}
}

func parseEntry(line string) (Entry, error) {
	head, tail, ok := strings.Cut(line, " - ")
	left, right := strings.Split(head, " "), strings.SplitN(tail, " ", 3)
	if !ok || len(left) < 6 || len(right) < 2 {
		return Entry{}, fmt.Errorf("malformed line %q", line)
	}
	id, err := strconv.Atoi(left[0])
	parent, parentErr := strconv.Atoi(left[1])
	if err != nil || parentErr != nil {
		return Entry{}, fmt.Errorf("malformed line %q", line)
	}
	e := Entry{
		ID: id, Parent: parent, Dev: left[2],
		Target: Unescape(left[4]), Type: right[0], Source: Unescape(right[1]),
	}
	if len(right) == 3 {
		e.Super = right[2]
	}
	return e, nil
}

// Unescape undoes the kernel's \040 for blank, tab, newline and backslash.
func Unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b bytes.Buffer
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// Below tells whether path is dir or lies below it.
func Below(path, dir string) bool {
	return path == dir || dir == "/" || strings.HasPrefix(path, dir+"/")
}

// InnermostFirst picks the entries at or below one of dirs in the order in
// which they can be unmounted: each before the one it is mounted on. The
// table's own order does not say that once a mount has been moved.
func InnermostFirst(table []Entry, dirs ...string) []Entry {
	parents := make(map[int]int, len(table))
	for _, e := range table {
		parents[e.ID] = e.Parent
	}
	depth := func(e Entry) int {
		n := 0
		for id := e.ID; n <= len(table); n++ { // bounded: the root may be its own parent
			parent, known := parents[id]
			if !known || parent == id {
				break
			}
			id = parent
		}
		return n
	}
	var picked []Entry
	for _, e := range table {
		if slices.ContainsFunc(dirs, func(dir string) bool { return Below(e.Target, dir) }) {
			picked = append(picked, e)
		}
	}
	slices.SortStableFunc(picked, func(a, b Entry) int { return depth(b) - depth(a) })
	return picked
}
