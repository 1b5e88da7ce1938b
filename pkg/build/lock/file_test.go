package lock

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const sum = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestPath(t *testing.T) {
	for yml, want := range map[string]string{
		"m.yml": "m.lock", "a.b/m.yaml": "a.b/m.lock", "a.b/machine": "a.b/machine.lock", "/x/m.site.yml": "/x/m.site.lock",
		"-": "", "https://example.com/m.yml": "",
	} {
		if got := Path(yml); got != want {
			t.Errorf("%s: got %q, want %q", yml, got, want)
		}
	}
}

// TestText writes and reads a file again.
func TestText(t *testing.T) {
	f := New()
	f.Images["linux/arm64"] = map[string]string{"slipway/init:v0.1": sum, Key("vol:1", "linux/amd64", "linux/arm64"): sum}
	f.Images["linux/amd64"] = map[string]string{Key("a", "linux/amd64", "linux/amd64"): sum}
	text, err := f.Text("x/m.yml")
	if err != nil {
		t.Fatal(err)
	}
	want := "# The images of m.yml by digest: `slipway build` takes these and no others, and\n# `slipway images update` renews them.\n" +
		"version: 1\nimages:\n  linux/amd64:\n    a: " + sum + "\n  linux/arm64:\n    slipway/init:v0.1: " + sum + "\n    vol:1 (linux/amd64): " + sum + "\n"
	if string(text) != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	again, err := Parse(text)
	if err != nil || again.Images["linux/arm64"]["vol:1 (linux/amd64)"] != sum {
		t.Errorf("read again: %v, %v", again, err)
	}
}

// TestBroken names file and key of what is wrong, and takes nothing that was cut off.
func TestBroken(t *testing.T) {
	whole := "version: 1\nimages:\n  linux/amd64:\n    a:1: " + sum + "\n    b: " + sum + "\n"
	file := filepath.Join(t.TempDir(), "m.lock")
	read := func(text string) error {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := Read(file)
		return err
	}
	for text, want := range map[string]string{
		"": "version: is 0, want 1",
		strings.Replace(whole, "version: 1", "version: 2", 1): "version: is 2, want 1",
		"version: 1\n": "images: is empty",
		strings.Replace(whole, "abcdef\n", "abcde\n", 1):        "images: linux/amd64: a:1: is \"sha256:",
		strings.Replace(whole, "a:1", "b", 1):                   "already defined",
		strings.Replace(whole, "images:", "imges:", 1):          "imges",
		whole + "---\nversion: 1\n":                             "something follows",
		strings.Replace(whole, "linux/amd64:", "- a", 1):        "read lock file",
		"version: 1\nimages: {linux/amd64: {a: [" + sum + "]}}": "read lock file",
	} {
		if err := read(text); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), file) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
	for n := strings.LastIndex(whole, "b:") + 1; n < len(whole)-1; n++ {
		if err := read(whole[:n]); err == nil || !strings.HasPrefix(err.Error(), "read lock file "+file+": ") {
			t.Errorf("cut off after %q: %v", whole[:n], err)
		}
	}
	if f, err := Read(filepath.Join(t.TempDir(), "none")); f != nil || err != nil {
		t.Errorf("no file: %v, %v", f, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("version: 1\nimages:\n  linux/amd64:\n    a: " + sum + "\n"))
	f.Add([]byte("version: 1\nimages: {x: &a {b: " + sum + "}, y: *a}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse(data)
		if err != nil {
			return
		}
		text, err := file.Text("m.yml")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(text); err != nil {
			t.Errorf("what was written is not taken: %v\n%s", err, text)
		}
	})
}
