package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

func architecture(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestPackages: the tables of the house have a row for each package, and for no other.
func TestPackages(t *testing.T) {
	text := architecture(t)
	inTable := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]*) \\|").FindAllStringSubmatch(text, -1) {
		for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[1], -1) {
			if strings.HasPrefix(name[1], "pkg/") {
				inTable[name[1]] = true
			} else {
				inTable["pkg/log/"+name[1]] = true // the log house has its own table
			}
		}
	}
	list := exec.Command("go", "list", "./pkg/...")
	list.Dir = "../.."
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	for path := range strings.FieldsSeq(string(out)) {
		name := strings.TrimPrefix(path, "slipway/")
		if !inTable[name] {
			t.Errorf("%s has no row in docs/architecture.md", name)
		}
		delete(inTable, name)
	}
	for name := range inTable {
		t.Errorf("docs/architecture.md has a row for %s, which is no package", name)
	}
}

// TestPathOfABundle: each function that the path names is in the file that it names.
func TestPathOfABundle(t *testing.T) {
	calls := regexp.MustCompile("`((?:pkg|cmd)/[^`:]+\\.go):([A-Za-z.]+)`").FindAllStringSubmatch(architecture(t), -1)
	if len(calls) < 40 {
		t.Fatalf("the path has %d calls; is it written in another way now?", len(calls))
	}
	functions := map[string]map[string]bool{}
	for _, call := range calls {
		file, function := call[1], call[2]
		if functions[file] == nil {
			functions[file] = functionsOf(t, "../../"+file)
		}
		if !functions[file][function] {
			t.Errorf("%s has no function %s", file, function)
		}
	}
}

// functionsOf lists a file's functions, methods as Type.Name.
func functionsOf(t *testing.T, file string) map[string]bool {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Error(err)
		return map[string]bool{}
	}
	found := map[string]bool{}
	for _, d := range parsed.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		name := f.Name.Name
		if f.Recv != nil {
			of := f.Recv.List[0].Type
			if pointer, ok := of.(*ast.StarExpr); ok {
				of = pointer.X
			}
			if ident, ok := of.(*ast.Ident); ok {
				name = ident.Name + "." + name
			}
		}
		found[name] = true
	}
	return found
}
