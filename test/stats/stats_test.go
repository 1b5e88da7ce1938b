package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestMeasure(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"pkg/a/a.go":          "package a\n\nfunc f() error {\n\tif err := g(); err != nil {\n\t\treturn fmt.Errorf(\"f: %w\", err)\n\t}\n\treturn nil\n}\n",
		"pkg/a/b/b.go":        "package b\n\nfunc g() (int, error) { return 0, err }\n\nfunc h() error { return fmt.Errorf(\"no\") }\n",
		"pkg/a/a_test.go":     "package a\n\nfunc g() error { return err }\n",
		"pkg/a/testdata/x.go": "no Go",
		".hidden/x.go":        "no Go",
		"test/x/main.go":      "package main\n",
	} {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := measure(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 3 {
		t.Errorf("rows: %v", rows)
	}
	a := rows["pkg/a"]
	if len(a.packages) != 2 || a.files != 2 || a.lines != 13 || a.tests != 3 || a.wrapped != 1 || a.bare != 1 {
		t.Errorf("pkg/a: %+v", a)
	}
	if a.longestFile != (longest{8, "a/a.go"}) || a.longestFunction != (longest{6, "a.f"}) {
		t.Errorf("longest: %s, %s", a.longestFile, a.longestFunction)
	}
	if rows["test"].lines != 1 || rows[total].lines != 14 {
		t.Errorf("test %+v, total %+v", rows["test"], rows[total])
	}
}
