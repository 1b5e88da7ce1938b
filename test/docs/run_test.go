package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestRunPage: docs/run.md has the exit statuses of `slipway run`, and what --json writes.
func TestRunPage(t *testing.T) {
	text := page(t, "docs/run.md")
	parsed, err := parser.ParseFile(token.NewFileSet(), root+"/pkg/qemu/result.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var want, have []string
	ast.Inspect(parsed, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(v.Names[0].Name, "Status") {
			want = append(want, v.Values[0].(*ast.BasicLit).Value)
		}
		return true
	})
	for _, row := range regexp.MustCompile(`(?m)^\| (\d+) \|`).FindAllStringSubmatch(text, -1) {
		have = append(have, row[1])
	}
	if len(want) < 9 || !slices.Equal(have, want) {
		t.Errorf("statuses: docs/run.md has %v, want %v", have, want)
	}
	said := regexp.MustCompile("`--json FILE` writes how the run ended \\(([^)]*)\\)").FindStringSubmatch(text)
	if said == nil {
		t.Fatal("docs/run.md does not say what --json writes")
	}
	if parsed, err = parser.ParseFile(token.NewFileSet(), root+"/pkg/qemu/outcome.go", nil, parser.SkipObjectResolution); err != nil {
		t.Fatal(err)
	}
	found := 0
	ast.Inspect(parsed, func(n ast.Node) bool {
		f, ok := n.(*ast.Field)
		if !ok || f.Tag == nil {
			return true
		}
		tag, err := strconv.Unquote(f.Tag.Value)
		if name := regexp.MustCompile(`^json:"(\w+)`).FindStringSubmatch(tag); err == nil && name != nil {
			if found++; !strings.Contains(said[1], "`"+name[1]+"`") {
				t.Errorf("docs/run.md does not say that --json writes `%s`", name[1])
			}
		}
		return true
	})
	if found < 10 {
		t.Errorf("%d fields found", found)
	}
}
