// Command stats measures the code of a tree: how much there is of it, how it is cut, how
// errors are told, how much of it is tests. It prints a table with a row for each
// directory of pkg:
//
//	go run ./test/stats [DIRECTORY]
package main

import (
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	root := "."
	if len(os.Args) > 1 {
		root = os.Args[1]
	}
	rows, err := measure(root)
	if err != nil {
		log.Fatal(err)
	}
	show(rows)
}

// measure reads all Go files below root; those of a directory that Go leaves out, too.
func measure(root string) (map[string]*row, error) {
	rows := map[string]*row{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && rel != "." || d.Name() == "testdata") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(rel, ".go") {
			return nil
		}
		for _, of := range []string{area(rel), total} {
			if rows[of] == nil {
				rows[of] = &row{}
			}
			if err := rows[of].add(name, rel); err != nil {
				return err
			}
		}
		return nil
	})
	return rows, err
}

const total = "total"

// area is the row of a file: what lies directly in pkg has one each, the rest of the
// tree one for each directory at its top.
func area(rel string) string {
	parts := strings.Split(rel, "/")
	if parts[0] == "pkg" {
		return strings.Join(parts[:2], "/")
	}
	return parts[0]
}

func show(rows map[string]*row) {
	const format = "%-14s %8v %6v %7v %7v  %-38s %-44s %7v %6v\n"
	fmt.Printf(format, "", "packages", "files", "lines", "tests", "longest file", "longest function", "wrapped", "bare")
	var names []string
	for name := range rows {
		if name != total {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range append(names, total) {
		r := rows[name]
		fmt.Printf(format, name, len(r.packages), r.files, r.lines, r.tests, r.longestFile, r.longestFunction, r.wrapped, r.bare)
	}
	code, tests := 0, 0
	for name, r := range rows {
		switch name {
		case total:
		case "test":
			tests += r.lines + r.tests
		default:
			code, tests = code+r.lines, tests+r.tests
		}
	}
	fmt.Printf("\ncode %d lines, tests with their programs %d lines, %.2f for each of code\n", code, tests, float64(tests)/float64(max(code, 1)))
}
