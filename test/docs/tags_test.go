package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"slipway/pkg/version"
)

// TestImageTags: what users copy names the images that this version makes.
func TestImageTags(t *testing.T) {
	files := []string{"../../Makefile", "../../linuxkit.yml", "../../README.md", "../../images/README.md"}
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(pages) < 5 {
		t.Fatal(pages, err)
	}
	own := regexp.MustCompile(`slipway/[a-z-]+:(v[0-9][0-9.]*[0-9])`)
	found := 0
	for _, file := range append(files, pages...) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range own.FindAllStringSubmatch(string(text), -1) {
			if found++; m[1] != version.ImageTag {
				t.Errorf("%s: %s, and this version makes :%s", file, m[0], version.ImageTag)
			}
		}
	}
	if found < 10 {
		t.Errorf("%d names of images found", found)
	}
}
