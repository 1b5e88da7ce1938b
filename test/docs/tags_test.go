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
	var pages []string
	for _, pattern := range []string{"../../docs/*.md", "../../examples/*.yml"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) < 5 {
			t.Fatal(found, err)
		}
		pages = append(pages, found...)
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
