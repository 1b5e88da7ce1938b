package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
)

// row is what is counted in a part of the tree. Lines are those of the files, blank ones
// and comments too; tests are the lines of _test.go files, which count nowhere else.
type row struct {
	packages                     map[string]bool
	files, lines, tests          int
	longestFile, longestFunction longest
	// Of errors that a function returns: made with %w of another, or passed on as they
	// came, "return err".
	wrapped, bare int
}

// longest is the one with the most lines.
type longest struct {
	lines int
	name  string
}

func (l *longest) see(lines int, name string) {
	if lines > l.lines {
		*l = longest{lines, name}
	}
}

func (l longest) String() string { return fmt.Sprintf("%d %s", l.lines, l.name) }

func (r *row) add(name, rel string) error {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	lines := set.File(file.Pos()).LineCount()
	if strings.HasSuffix(rel, "_test.go") {
		r.tests += lines
		return nil
	}
	if r.packages == nil {
		r.packages = map[string]bool{}
	}
	r.packages[filepath.Dir(rel)] = true
	r.files++
	r.lines += lines
	r.longestFile.see(lines, strings.TrimPrefix(rel, "pkg/"))
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			length := set.Position(n.End()).Line - set.Position(n.Pos()).Line + 1
			r.longestFunction.see(length, strings.TrimPrefix(filepath.Dir(rel), "pkg/")+"."+n.Name.Name)
		case *ast.CallExpr:
			if wraps(n) {
				r.wrapped++
			}
		case *ast.ReturnStmt:
			if passesOn(n) {
				r.bare++
			}
		}
		return true
	})
	return nil
}

// wraps tells of a call of fmt.Errorf with %w.
func wraps(call *ast.CallExpr) bool {
	f, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || f.Sel.Name != "Errorf" || len(call.Args) == 0 {
		return false
	}
	format, ok := call.Args[0].(*ast.BasicLit)
	return ok && strings.Contains(format.Value, "%w")
}

// passesOn tells of a return whose last value is an error by name.
func passesOn(ret *ast.ReturnStmt) bool {
	if len(ret.Results) == 0 {
		return false
	}
	last, ok := ret.Results[len(ret.Results)-1].(*ast.Ident)
	return ok && (last.Name == "err" || strings.HasSuffix(last.Name, "Err"))
}
