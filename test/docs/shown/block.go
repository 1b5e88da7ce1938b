package shown

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Block is a block of code on a page, by the words behind its opening fence, of which
// readers see nothing: what it is written in, how it is held against the programs, and why
// it is not.
//
//	sh                      typed on the host, and run by a test
//	sh guest                typed in a machine, and run there by a test
//	sh illustration: WHY    run by none
//	yaml                    a machine, or sections of one, that validate takes
//	yaml container          keys of one container
//	yaml NAME.yml           a machine, and what the page calls it
//	yaml WORD: WHY          another file
//	text, json              what is read, and not typed
//
// Above a table `<!-- sh guest -->` says the same of what its last column quotes, up to the
// first colon or semicolon.
type Block struct {
	Page  string // path below root
	Line  int    // of its fence, from 1
	Kind  string // sh, yaml, text, json
	Mode  string // the word behind it, if there is one
	Why   string // what stands behind a colon
	Lines []string
}

// Place is page and line.
func (b Block) Place() string { return fmt.Sprintf("%s:%d", b.Page, b.Line) }

// Commands are the block's lines without comments and empty ones.
func (b Block) Commands() (all []string) {
	for _, line := range b.Lines {
		line = strings.TrimSpace(note.ReplaceAllString(line, ""))
		if line != "" && !strings.HasPrefix(line, "#") {
			all = append(all, line)
		}
	}
	return all
}

// IsFile tells a block that is the file of which its mode is the name.
func (b Block) IsFile() bool { return b.Kind == "yaml" && strings.HasSuffix(b.Mode, ".yml") }

// kinds are what a fence may say, with the modes of each.
var kinds = map[string][]string{
	"sh": {"", "guest", "illustration"}, "yaml": {"", "container", "lock", "recipe", "workflow"}, "text": {""}, "json": {""},
}

// typed is a line that somebody could type.
var typed = regexp.MustCompile(`^\s*(\$ |(sudo |\./|bin/)*(slipway|service|make|apt-get|curl|cosign|linuxkit|docker|qemu-img|virtctl) [a-z-])`)

// Blocks finds the blocks of all pages that users read, the README's first, and fails where one does not say
// what it is, or an illustration not why it is one.
func Blocks(t *testing.T, root string) (all []Block) {
	t.Helper()
	docs, err := filepath.Glob(filepath.Join(root, "docs/*.md"))
	if err != nil || len(docs) == 0 {
		t.Fatal(docs, err)
	}
	var pages []string
	for _, page := range []string{"README.md", "CONTRIBUTING.md", "SECURITY.md", "images/README.md"} {
		pages = append(pages, filepath.Join(root, page))
	}
	for _, page := range append(pages, docs...) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		name, err := filepath.Rel(root, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range blocksOf(name, string(text)) {
			if fault := b.fault(); fault != "" {
				t.Errorf("%s: %s", b.Place(), fault)
			}
			all = append(all, b)
		}
	}
	return all
}

// fault says what is wrong with how a block is marked.
func (b Block) fault() string {
	switch modes, is := kinds[b.Kind]; {
	case !is || !slices.Contains(modes, b.Mode) && !b.IsFile():
		return fmt.Sprintf("%q %q says nothing of the block; see test/docs/shown", b.Kind, b.Mode)
	case b.Mode == "illustration" && b.Why == "":
		return "an illustration says why no test runs it"
	case b.Kind == "sh" && len(b.Commands()) == 0:
		return "no command is in it"
	case b.Kind == "sh":
		return ""
	}
	for _, line := range b.Lines {
		if typed.MatchString(line) {
			return fmt.Sprintf("%q could be typed, and the block is %s", line, b.Kind)
		}
	}
	return ""
}

var tableMark = regexp.MustCompile(`^<!-- (sh .*) -->$`)

// odd begins a block in a way that is not looked for.
var odd = regexp.MustCompile("^\\s*(```|~~~|<!--\\s*sh\\b)")

// blocksOf gives a block that is not one by these rules as one of no kind.
func blocksOf(page, text string) (all []Block) {
	var open *Block
	table := false
	for i, line := range strings.Split(text, "\n") {
		info, fence := strings.CutPrefix(line, "```")
		mark := tableMark.FindStringSubmatch(line)
		switch {
		case open == nil && fence:
			open = newBlock(page, i+1, info)
		case open == nil && mark != nil:
			open, table = newBlock(page, i+1, mark[1]), true
		case open == nil && odd.MatchString(line):
			all = append(all, *newBlock(page, i+1, strings.TrimSpace(line)))
		case open == nil:
		case fence && !table, table && !strings.HasPrefix(line, "|"):
			all, open, table = append(all, *open), nil, false
		case table:
			cells := strings.Split(line, " | ")
			counterpart, _, _ := strings.Cut(strings.ReplaceAll(cells[len(cells)-1], ": ", "; "), "; ")
			for _, m := range span.FindAllStringSubmatch(counterpart, -1) {
				open.Lines = append(open.Lines, m[1])
			}
		default:
			open.Lines = append(open.Lines, line)
		}
	}
	if open != nil {
		all = append(all, *newBlock(page, open.Line, "without an end"))
	}
	return all
}

func newBlock(page string, line int, info string) *Block {
	words, why, _ := strings.Cut(info, ": ")
	kind, mode, _ := strings.Cut(words, " ")
	return &Block{Page: page, Line: line, Kind: kind, Mode: mode, Why: why}
}
