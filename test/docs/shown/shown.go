// Package shown finds the command lines that documents show, for the tests of the
// programs that are to take them.
package shown

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Line is a command line of a document.
type Line struct {
	Place string // document and line
	Args  []string
	// Whole: from a block of code, as somebody may type it. What is quoted in a
	// sentence may leave arguments out.
	Whole bool
}

var (
	span = regexp.MustCompile("`([^`]+)`")
	note = regexp.MustCompile(`\s#\s.*$`)
)

// Commands finds the lines of a program in README.md, docs/*.md and the first lines of
// examples/*.yml below root. In decisions.md it looks for none, which tells of what was as
// well, and one for any COMMAND is left out.
func Commands(t *testing.T, root, program string) []Line {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "docs/*.md"))
	if err != nil {
		t.Fatal(err)
	}
	var all []Line
	for _, file := range append(files, filepath.Join(root, "README.md")) {
		if filepath.Base(file) == "decisions.md" {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, in(filepath.Base(file), string(text), program)...)
	}
	machines, err := filepath.Glob(filepath.Join(root, "examples/*.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range machines {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, in(filepath.Base(file), string(text), program)...)
	}
	if len(all) == 0 {
		t.Fatalf("no document shows a command line of %s", program)
	}
	return all
}

func in(name, text, program string) []Line {
	var all []Line
	block := false
	for i, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(line, "```") {
			block = !block
			continue
		}
		// In the comment of a YAML a block is set in.
		line, set := strings.CutPrefix(line, "#   ")
		found := []string{line}
		if !block && !set {
			found = found[:0]
			for _, m := range span.FindAllStringSubmatch(line, -1) {
				found = append(found, m[1])
			}
		}
		for _, f := range found {
			for part := range strings.SplitSeq(note.ReplaceAllString(f, ""), "|") {
				if args := words(strings.TrimPrefix(strings.TrimSpace(part), "$ ")); len(args) > 1 && args[0] == program && args[1] != "COMMAND" {
					all = append(all, Line{Place: fmt.Sprintf("%s:%d", name, i+1), Args: args[1:], Whole: block || set})
				}
			}
		}
	}
	return all
}

// words splits a line as a shell does, of which the documents use single quotes.
func words(line string) []string {
	var all []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			all = append(all, part)
		} else {
			all = append(all, strings.Fields(part)...)
		}
	}
	return all
}
