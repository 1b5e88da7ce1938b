// Table writes what the probe has found into docs/security.md, between two marks.
//
//	table [-w] [-root DIR]
//
// Without -w it only says whether the document is up to date.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

const document = "docs/security.md"

// expected are the outcomes that the whole-VM cases compare with.
var expected = []string{"test/cases/probe/outcomes.txt", "test/cases/probe-linuxkit/outcomes.txt"}

func main() {
	write := flag.Bool("w", false, "write the document")
	root := flag.String("root", ".", "the repository")
	flag.Parse()
	if err := run(*root, *write); err != nil {
		fmt.Fprintln(os.Stderr, "table:", err)
		os.Exit(1)
	}
}

func run(root string, write bool) error {
	found := outcomes{}
	for _, name := range expected {
		data, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return err
		}
		if err := found.add(string(data)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if err := found.check(); err != nil {
		return err
	}
	file := filepath.Join(root, document)
	old, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	renewed, err := replace(old, found.markdown())
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", document, err)
	case bytes.Equal(old, renewed):
		return nil
	case !write:
		return fmt.Errorf("%s is out of date: run `make security`", document)
	}
	return os.WriteFile(file, renewed, 0o644)
}

const (
	beginMark = "<!-- begin of the table: make security -->\n"
	endMark   = "<!-- end of the table -->\n"
)

// replace puts new text between the marks.
func replace(text []byte, table string) ([]byte, error) {
	before, rest, begins := bytes.Cut(text, []byte(beginMark))
	_, after, ends := bytes.Cut(rest, []byte(endMark))
	if !begins || !ends {
		return nil, errors.New("the marks of the table are not there")
	}
	return bytes.Join([][]byte{before, []byte(beginMark), []byte(table), []byte(endMark), after}, nil), nil
}
