package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"slipway/pkg/service/control"
	"slipway/pkg/service/state"
)

func page(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(root + "/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestControlFields: docs/control.md names each field of the answers, each state of a service and each status.
func TestControlFields(t *testing.T) {
	text := page(t, "docs/control.md")
	names := tagsOf(reflect.TypeFor[control.List](), map[string]bool{})
	if len(names) < 40 {
		t.Fatalf("%d fields: %v", len(names), names)
	}
	for _, s := range state.All() {
		names[string(s)] = true
	}
	for name := range names {
		if !strings.Contains(text, "`"+name+"`") {
			t.Errorf("docs/control.md does not name `%s`", name)
		}
	}
	statuses := keysOf(t, root+"/pkg/service/control/http.go", "reasons")
	if len(statuses) < 9 {
		t.Fatal(statuses)
	}
	for _, status := range statuses {
		if status != "200" && !strings.Contains(text, status) {
			t.Errorf("docs/control.md does not tell of status %s", status)
		}
	}
}

// tagsOf adds the names that a type's fields have in JSON, and those of the types in it.
func tagsOf(of reflect.Type, to map[string]bool) map[string]bool {
	for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice {
		of = of.Elem()
	}
	if of.Kind() != reflect.Struct || !strings.HasPrefix(of.PkgPath(), "slipway/") {
		return to
	}
	for f := range of.Fields() {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
			to[name] = true
			tagsOf(f.Type, to)
		}
	}
	return to
}

// keysOf are those of a variable that is a literal map, or the elements of a list.
func keysOf(t *testing.T, file, variable string) (keys []string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || v.Names[0].Name != variable {
			return true
		}
		for _, e := range v.Values[0].(*ast.CompositeLit).Elts {
			if pair, is := e.(*ast.KeyValueExpr); is {
				e = pair.Key
			}
			if word, is := e.(*ast.BasicLit); is {
				keys = append(keys, strings.Trim(word.Value, `"`))
			}
		}
		return false
	})
	return keys
}

// TestMetrics: docs/control.md names each metric, with what stands before it only once, and its kind, and no other.
func TestMetrics(t *testing.T) {
	_, text, _ := strings.Cut(page(t, "docs/control.md"), "## Metrics")
	text, _, _ = strings.Cut(text, "## Programs")
	kinds, prefix := map[string]string{}, ""
	for group := range strings.SplitSeq(text, ";") {
		var open []string
		for _, word := range regexp.MustCompile("`([a-z_]+)`|\\(([^)]*)\\)").FindAllStringSubmatch(group, -1) {
			if kind := word[2]; kind != "" {
				for _, name := range open {
					kinds[name] = kind
				}
				open = nil
				continue
			}
			name := word[1]
			if strings.HasPrefix(name, "_") {
				name = prefix + name
			} else if at := strings.Index(name[len("slipway_"):], "_"); at >= 0 {
				prefix = name[:len("slipway_")+at]
			}
			kinds[name], open = "gauge", append(open, name)
		}
	}
	list := control.Metrics(control.List{Memory: &control.Memory{}})
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)$`).FindAllStringSubmatch(string(list), -1) {
		name, kind := m[1], m[2]
		if kind == "stateset" {
			kind = "state set"
		}
		if said := kinds[name]; said == "" || !strings.Contains(said, kind) {
			t.Errorf("%s is a %s; docs/control.md says %q", name, kind, said)
		}
		delete(kinds, name)
	}
	for name := range kinds {
		t.Errorf("docs/control.md has %s, which no metric is", name)
	}
}
