// Package document has the pages that figures are written to, such as docs/bench.md: a
// run replaces the sections that it measures, and people write others, such as Notes.
package document

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// Document is a page: what it begins with, and sections by their headings. Those that a
// run does not measure, and those that people wrote, stay as they are.
type Document struct {
	preamble string
	headings []string
	text     map[string]string
}

// Read reads a page, which need not be there: "" is none. Sections of the given headings
// come first, in that order, and the preamble replaces what the page began with.
func Read(file, preamble string, headings []string) (*Document, error) {
	d := &Document{preamble, headings, map[string]string{}}
	data, err := os.ReadFile(file)
	if file == "" || errors.Is(err, fs.ErrNotExist) {
		return d, nil
	}
	if err != nil {
		return nil, err
	}
	for i, section := range strings.Split(string(data), "\n## ") {
		if heading, text, ok := strings.Cut(section, "\n"); ok && i > 0 {
			d.Put(heading, text)
		}
	}
	return d, nil
}

// Put replaces the text of a section, or adds one.
func (d *Document) Put(heading, text string) {
	if !slices.Contains(d.headings, heading) {
		d.headings = append(d.headings, heading)
	}
	d.text[heading] = strings.Trim(text, "\n")
}

// Write writes the page; to "" it writes nothing.
func (d *Document) Write(file string) error {
	if file == "" {
		return nil
	}
	var m strings.Builder
	m.WriteString(d.preamble)
	for _, heading := range d.headings {
		if text := d.text[heading]; text != "" {
			m.WriteString("\n## " + heading + "\n\n" + text + "\n")
		}
	}
	return os.WriteFile(file, []byte(m.String()), 0o644)
}
