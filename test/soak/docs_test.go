package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestPromises wants every test that docs/reliability.md names to be there, and
// every part of the soak to be named.
func TestPromises(t *testing.T) {
	const root = "../../"
	text, err := os.ReadFile(root + "docs/reliability.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| promise") || strings.HasPrefix(line, "| ---") {
			continue
		}
		rows++
		if !regexp.MustCompile("`[^`]+`[^|]*\\|$").MatchString(strings.TrimSpace(line)) {
			t.Errorf("nothing holds: %s", line)
		}
	}
	if rows < 20 {
		t.Errorf("only %d promises", rows)
	}
	for _, m := range regexp.MustCompile("`((?:pkg|cmd|test)(?:/\\w+)*): (\\w+)`").FindAllStringSubmatch(string(text), -1) {
		if !hasTest(t, root+m[1], m[2]) {
			t.Errorf("%s has no %s", m[1], m[2])
		}
	}
	for _, m := range regexp.MustCompile("`case ([^`]+)`").FindAllStringSubmatch(string(text), -1) {
		if _, err := os.Stat(root + "test/cases/" + m[1] + "/expect.yml"); err != nil {
			t.Error(err)
		}
	}
	named := map[string]bool{}
	for _, m := range regexp.MustCompile("`soak ([^`]+)`").FindAllStringSubmatch(string(text), -1) {
		named[m[1]] = true
		if _, err := choose(m[1]); err != nil {
			t.Error(err)
		}
	}
	for _, p := range parts {
		if !strings.Contains(string(text), "*"+p.name+"*") {
			t.Errorf("the part %s is not described", p.name)
		}
		if p.short > 0 && !named[p.name] {
			t.Errorf("the part %s holds no promise", p.name)
		}
	}
}

// hasTest tells whether a package has a test or fuzz target of that name.
func hasTest(t *testing.T, dir, name string) bool {
	t.Helper()
	files, err := filepath.Glob(dir + "/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(data), "func "+name+"(") {
			return true
		}
	}
	return false
}
