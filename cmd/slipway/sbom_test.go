package main

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
)

// inTar returns a file of a tar; "" if it is not there.
func inTar(t *testing.T, archive, name string) string {
	t.Helper()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return ""
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Name == name {
			data, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			return string(data)
		}
	}
}

// TestSBOMFlags wants one document in the image, as LinuxKit's tool has it, and
// the same one in a file where that is asked for.
func TestSBOMFlags(t *testing.T) {
	inStore(t)
	writeFile(t, "m.yml", "init: [test/empty:1]\n")
	run := func(args ...string) {
		t.Helper()
		if _, err := runBuild(t, append(args, "-f", "tar", "m.yml")...); err != nil {
			t.Fatal(err)
		}
	}
	run("--sbom", "list.json")
	data, err := os.ReadFile("list.json")
	if err != nil || !strings.Contains(string(data), `"name": "docker.io/test/empty:1"`) {
		t.Errorf("list.json: %v\n%s", err, data)
	}
	if got := inTar(t, "out/m.tar", "sbom.spdx.json"); got != string(data) {
		t.Errorf("in the image:\n%s", got)
	}
	run("--sbom-output", "/usr/share/sbom/machine.json")
	if got := inTar(t, "out/m.tar", "usr/share/sbom/machine.json"); got != string(data) {
		t.Errorf("in a directory of the image:\n%s", got)
	}
	run("--no-sbom", "--sbom", "other.json")
	if got := inTar(t, "out/m.tar", "sbom.spdx.json"); got != "" {
		t.Errorf("--no-sbom: the image has one:\n%s", got)
	}
	if other, err := os.ReadFile("other.json"); err != nil || string(other) != string(data) {
		t.Errorf("other.json: %v\n%s", err, other)
	}
	for _, args := range [][]string{{"--sbom-output", ".."}, {"--sbom-output", "/"}, {"-o", "-", "--sbom", "-"}} {
		if _, err := runBuild(t, append(args, "-f", "tar", "m.yml")...); status(err) != 2 {
			t.Errorf("%q: %v, want a misuse", args, err)
		}
	}
	if _, err := runBuild(t, "--sbom", "lost.json", "-f", "kernel+initrd", "m.yml"); err == nil {
		t.Error("an image without a kernel was built")
	}
	if _, err := os.Stat("lost.json"); !os.IsNotExist(err) {
		t.Errorf("a build that failed left its list: %v", err)
	}
}
