package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	links    = regexp.MustCompile(`\]\(([^)#:]*)(#[^)]*)?\)`)
	headings = regexp.MustCompile(`(?m)^#+ (.*)$`)
	unheard  = regexp.MustCompile(`[^a-z0-9 _-]`)
)

// anchors are what headings are called in links, as the usual forges do it.
func anchors(text string) map[string]bool {
	all := map[string]bool{"": true}
	for _, m := range headings.FindAllStringSubmatch(text, -1) {
		name := unheard.ReplaceAllString(strings.ToLower(m[1]), "")
		all["#"+strings.ReplaceAll(name, " ", "-")] = true
	}
	return all
}

// TestLinks: what a page links to is there, with its heading; the README leads to each page.
func TestLinks(t *testing.T) {
	pages, err := filepath.Glob(root + "/docs/*.md")
	if err != nil || len(pages) < 10 {
		t.Fatal(pages, err)
	}
	for _, name := range []string{"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "images/README.md"} {
		pages = append(pages, filepath.Join(root, name))
	}
	read := func(file string) string {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Error(err)
		}
		return string(text)
	}
	for _, page := range pages {
		for _, m := range links.FindAllStringSubmatch(read(page), -1) {
			to := filepath.Join(filepath.Dir(page), m[1])
			if m[1] == "" {
				to = page
			}
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s: %v", page, err)
			} else if m[2] != "" && !anchors(read(to))[m[2]] {
				t.Errorf("%s: %s has no heading %s", page, to, m[2])
			}
		}
	}
	index := read(root + "/README.md")
	for _, page := range pages {
		if dir, name := filepath.Split(page); filepath.Base(dir) == "docs" && !strings.Contains(index, "(docs/"+name+")") {
			t.Errorf("README.md does not lead to docs/%s", name)
		}
	}
}
