package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestErrors: docs/errors.md has each message of the packages that says nothing of what is
// wanted, and wraps no other, and none that they do not say.
func TestErrors(t *testing.T) {
	text, err := os.ReadFile("../../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	for line := range strings.SplitSeq(string(text), "\n") {
		cells := strings.Split(line, " | ")
		if !strings.HasPrefix(line, "| `") && !strings.HasPrefix(line, "`") && !strings.Contains(line, "no honest image") {
			continue // a row, or the list of what is refused
		}
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[0], -1) {
			shown[strings.ReplaceAll(m[1], `\|`, "|")] = true
		}
	}
	said := map[string]string{}
	err = filepath.WalkDir("../../pkg", func(file string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(file, ".go") && !strings.HasSuffix(file, "_test.go") {
			messagesOf(t, file, said)
		}
		return err
	})
	if err != nil || len(said) < 250 {
		t.Fatalf("%d messages found; are they written in another way now?", len(said))
	}
	for message, place := range said {
		if !shown[message] {
			t.Errorf("%s: docs/errors.md does not have `%s`", place, message)
		}
		delete(shown, message)
	}
	for message := range shown {
		t.Errorf("docs/errors.md has `%s`, which nothing says", message)
	}
}

var (
	verbs    = regexp.MustCompile(`%[-+# 0-9.]*[a-zA-Z]`)
	dots     = regexp.MustCompile(`\.{4,}`)
	anything = regexp.MustCompile(`[a-z]{2}`)
)

// messagesOf finds the messages of a file, as the page has them, with where they are said.
func messagesOf(t *testing.T, file string, said map[string]string) {
	t.Helper()
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) == 0 {
			return true
		}
		f, ok := call.Fun.(*ast.SelectorExpr)
		text, isText := call.Args[0].(*ast.BasicLit)
		if !ok || !isText || !slices.Contains([]string{"New", "Errorf"}, f.Sel.Name) {
			return true
		}
		of, ok := f.X.(*ast.Ident)
		if !ok || of.Name != "errors" && of.Name != "fmt" {
			return true
		}
		message, err := strconv.Unquote(text.Value)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(message, "%w") || strings.Contains(message, "want") {
			return true
		}
		message = dots.ReplaceAllString(verbs.ReplaceAllString(message, "..."), "...")
		if message = strings.ReplaceAll(message, "`", "'"); anything.MatchString(message) {
			said[message] = set.Position(call.Pos()).String()
		}
		return true
	})
}

// TestSymptoms: what docs/troubleshooting.md says that one sees is in a text of ours, but for
// what kernel and libc say.
func TestSymptoms(t *testing.T) {
	text, err := os.ReadFile("../../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	theirs := []string{"No such file or directory", "Operation not permitted", "Permission denied", "Read-only file system"}
	texts := textsOf(t)
	found := 0
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]*) \\|").FindAllStringSubmatch(string(text), -1) {
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[1], -1) {
			for part := range strings.SplitSeq(m[1], "...") {
				part = strings.Trim(instance.ReplaceAllString(part, ""), " :,()'")
				if strings.Count(part, " ") == 0 || slices.Contains(theirs, part) {
					continue
				}
				if found++; !strings.Contains(texts, part) {
					t.Errorf("docs/troubleshooting.md has %q, which nothing says", part)
				}
			}
		}
	}
	if found < 10 {
		t.Errorf("%d messages found", found)
	}
}

// instance is what a symptom has for an example: a status, a signal.
var instance = regexp.MustCompile(`\b(\d+|SIG[A-Z]+)\b`)

// textsOf are all texts that the programs may say.
func textsOf(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, dir := range []string{"../../pkg", "../../cmd"} {
		err := filepath.WalkDir(dir, func(file string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
				return err
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(parsed, func(n ast.Node) bool {
				if text, ok := n.(*ast.BasicLit); ok && text.Kind == token.STRING {
					all.WriteString(text.Value + "\n")
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return strings.ReplaceAll(all.String(), "`", "'")
}
