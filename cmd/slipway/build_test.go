package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/empty"

	"slipway/pkg/build/oci"
)

// inStore makes a local store with one empty image, and a directory to work in.
func inStore(t *testing.T) {
	t.Helper()
	t.Setenv("SLIPWAY_STORE", filepath.Join(t.TempDir(), "store"))
	if err := oci.OpenStore().Put("test/empty:1", empty.Image, nil); err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// runBuild runs `slipway build` and lists what it leaves in out/.
func runBuild(t *testing.T, args ...string) ([]string, error) {
	t.Helper()
	cmd := newBuildCommand()
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(append([]string{"--offline", "-q", "--dir", "out"}, args...))
	err := cmd.Execute()
	entries, readErr := os.ReadDir("out")
	if readErr != nil && !errors.Is(readErr, os.ErrNotExist) {
		t.Fatal(readErr)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

// feed makes a file the standard input.
func feed(t *testing.T, name string) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	old := os.Stdin
	os.Stdin = f
	t.Cleanup(func() { os.Stdin = old; _ = f.Close() })
}

func TestBuildCommand(t *testing.T) {
	inStore(t)
	writeFile(t, "good.yml", "init: [test/empty:1]\n")
	writeFile(t, "more.yml", "files: [{path: a, contents: x}]\n")
	writeFile(t, "bad.yml", "init: [test/empty:1]\nfils: []\n")
	feed(t, "good.yml")
	cases := []struct {
		name   string
		args   []string
		status int
		files  string
	}{
		{"refused", []string{"-f", "tar", "bad.yml"}, 1, ""},
		{"no such file", []string{"-f", "tar", "none.yml"}, 1, ""},
		{"no kernel", []string{"good.yml"}, 1, ""},
		{"one format of two fails", []string{"-f", "tar,kernel+initrd", "good.yml"}, 1, ""},
		{"nothing named", nil, 2, ""},
		{"unknown format", []string{"-f", "floppy", "good.yml"}, 2, ""},
		{"unknown hardening", []string{"--hardening", "some", "good.yml"}, 2, ""},
		{"one name for two files", []string{"-f", "kernel+initrd", "-o", "x", "good.yml"}, 2, ""},
		{"no Docker daemon", []string{"--docker", "good.yml"}, 2, ""},
		{"no time in an SBOM", []string{"--sbom-current-time", "good.yml"}, 2, ""},
		{"a size that is none", []string{"--size", "big", "good.yml"}, 2, ""},
		{"pulled and offline", []string{"--pull", "good.yml"}, 2, ""},
		{"no such cache", []string{"--cache", "nowhere", "good.yml"}, 2, ""},
		{"over the YAML", []string{"-o", "./good.yml", "good.yml"}, 2, ""},
		{"a document over the YAML", []string{"-f", "tar", "--sbom", "more.yml", "good.yml", "more.yml"}, 2, ""},
		{"image and document in one file", []string{"-o", "x", "--sbom", "./x", "good.yml"}, 2, ""},
		{"over a directory", []string{"-o", ".", "good.yml"}, 2, ""},
		{"a document over a directory", []string{"-f", "tar", "--sbom", ".", "good.yml"}, 2, ""},
		{"only printed", []string{"--dry-run", "good.yml"}, 0, ""},
		{"nothing good to print", []string{"--dry-run", "bad.yml"}, 1, ""},
		{"built", []string{"-f", "tar", "good.yml"}, 0, "good.tar"},
		{"named", []string{"-f", "tar", "--name", "other", "good.yml"}, 0, "good.tar other.tar"},
		{"LinuxKit's flags", []string{"-f", "tar", "--size", "1024M", "--input-tar", "x.tar", "--no-sbom", "--arch", "amd64", "good.yml"}, 0, "good.tar other.tar"},
		{"the last file names it", []string{"-f", "tar", "good.yml", "more.yml"}, 0, "good.tar more.tar other.tar"},
		{"standard input", []string{"-f", "tar", "-"}, 0, "good.tar moby.tar more.tar other.tar"},
		{"in a directory of its own", []string{"-f", "tar", "--name", "sub/m", "good.yml"}, 0, "good.tar moby.tar more.tar other.tar sub"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			files, err := runBuild(t, c.args...)
			if got := status(err); got != c.status {
				t.Errorf("exit status %d, want %d: %v", got, c.status, err)
			}
			if got := strings.Join(files, " "); got != c.files {
				t.Errorf("files %q, want %q", got, c.files)
			}
		})
	}
}

func TestValidateCommand(t *testing.T) {
	inStore(t)
	writeFile(t, "bad.yml", "init: [test/empty:1]\nfils: []\nonbot: []\n")
	writeFile(t, "good.yml", "init: [test/empty:1]\n")
	f := validateFlags{}
	f.platform, f.hardening, f.offline, f.quiet = "amd64", "default", true, true
	faults, err := f.find(t.Context(), []string{"bad.yml"})
	if err != nil || len(faults) != 2 {
		t.Fatalf("got %v, %v", faults, err)
	}
	if faults[0].Line != 2 || faults[0].Nearest != "files" || faults[1].Nearest != "onboot" {
		t.Errorf("got %+v", faults)
	}
	if faults, err := f.find(t.Context(), []string{"good.yml"}); err != nil || len(faults) > 0 {
		t.Errorf("got %v, %v", faults, err)
	}
}

// TestExactImageHasNothingMore wants of --hardening none what LinuxKit's tool
// makes with --no-sbom, and a document in every other image.
func TestExactImageHasNothingMore(t *testing.T) {
	inStore(t)
	writeFile(t, "good.yml", "init: [test/empty:1]\n")
	for _, c := range []struct {
		args []string
		sbom bool
	}{
		{nil, true}, {[]string{"--no-sbom"}, false}, {[]string{"--hardening", "none"}, false},
		{[]string{"--hardening", "none", "--sbom-output", "sbom.spdx.json"}, true},
	} {
		if _, err := runBuild(t, append(c.args, "-f", "tar", "good.yml")...); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile("out/good.tar")
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(data), "sbom.spdx.json"); got != c.sbom {
			t.Errorf("%v: a document in the image is %v", c.args, got)
		}
	}
}
