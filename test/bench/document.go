package main

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
)

const preamble = `# Figures

Made by ` + "`make bench`" + `: what is compared takes turns within one run, and medians count. QEMU
without acceleration (TCG), 2 CPUs, 1 GB. Compare the ratios; the seconds are this machine's.
`

// document is docs/bench.md: sections by their headings. Those that a run does
// not measure, and those that people wrote, stay as they are.
type document struct {
	headings []string
	text     map[string]string
}

func readDocument(file string) (*document, error) {
	d := &document{text: map[string]string{}}
	for _, p := range parts {
		d.headings = append(d.headings, p.heading)
		if p.guests {
			d.headings = append(d.headings, p.heading+counted)
		}
	}
	data, err := os.ReadFile(file)
	if file == "" || errors.Is(err, fs.ErrNotExist) {
		return d, nil
	}
	if err != nil {
		return nil, err
	}
	for i, section := range strings.Split(string(data), "\n## ") {
		if heading, text, ok := strings.Cut(section, "\n"); ok && i > 0 {
			d.put(heading, text)
		}
	}
	return d, nil
}

func (d *document) put(heading, text string) {
	if !slices.Contains(d.headings, heading) {
		d.headings = append(d.headings, heading)
	}
	d.text[heading] = strings.Trim(text, "\n")
}

func (d *document) write(file string) error {
	if file == "" {
		return nil
	}
	var m strings.Builder
	m.WriteString(preamble)
	for _, heading := range d.headings {
		if text := d.text[heading]; text != "" {
			m.WriteString("\n## " + heading + "\n\n" + text + "\n")
		}
	}
	return os.WriteFile(file, []byte(m.String()), 0o644)
}
