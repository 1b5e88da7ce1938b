package build

import (
	"archive/tar"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"slipway/pkg/build/oci"
)

// runcLayer holds a program as /usr/bin/runc.
func runcLayer(t *testing.T, program string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	err := w.WriteHeader(&tar.Header{Name: "usr/bin/runc", Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(program))})
	if err == nil {
		_, err = w.Write([]byte(program))
	}
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestRuncVersions has programs built in the ways that runc is, and looks for what
// they say in images.
func TestRuncVersions(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":           "module github.com/opencontainers/runc\n\ngo 1.24\n",
		"linked/main.go":   "package main\n\nvar version = \"unknown\"\n\nfunc main() { println(version) }\n",
		"embedded/VERSION": "1.3.5\n",
		"embedded/main.go": "package main\n\nimport _ \"embed\"\n\n//go:embed VERSION\nvar version string\n\nfunc main() { println(version) }\n",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		writeText(t, file, text)
	}
	compile := func(pkg string, flags ...string) string {
		out := filepath.Join(dir, "out")
		cmd := exec.Command("go", append(append([]string{"build", "-buildvcs=false", "-o", out}, flags...), pkg)...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64", "GOWORK=off", "GOFLAGS=")
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", cmd.Args, err, text)
		}
		data, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	const linked = "-ldflags=-X main.version=1.2.7"
	store := oci.OpenLayout(t.TempDir(), true)
	for name, c := range map[string]struct{ program, version, label string }{
		"linked":   {compile("./linked", "-trimpath", linked), "1.2.7", ""},
		"stripped": {compile("./linked", linked+" -s -w"), "1.2.7", ""},
		"pie":      {compile("./embedded", "-buildmode=pie", "-trimpath"), "1.3.5", ""},
		"mended":   {compile("./linked", "-ldflags=-X main.version=1.2.8"), "", ""},
		"silent":   {compile("./linked", "-trimpath", linked+" -s -w"), "", ""},
		"ours":     {compile("./linked", "-trimpath", linked+" -s -w"), "v1.4.2", "debian x=1, github.com/opencontainers/runc@v1.4.2"},
		"script":   {"#!/bin/sh\n", "", ""},
	} {
		var labels map[string]string
		if c.label != "" {
			labels = map[string]string{oci.SourcesLabel: c.label}
		}
		put(t, store, "test/"+name+":1", v1.Config{Labels: labels}, runcLayer(t, c.program))
		file := filepath.Join(t.TempDir(), "m.yml")
		writeText(t, file, "init: [test/"+name+":1]\n")
		b := &Builder{Finder: &oci.Finder{Store: store}, Platform: v1.Platform{OS: "linux", Architecture: "amd64"}}
		faults, err := b.CheckFiles(t.Context(), []string{file}, &bytes.Buffer{})
		if err != nil {
			t.Fatal(err)
		}
		text := ""
		if len(faults) > 0 {
			text = faults.Error()
		}
		want := "warning: init[0]: /usr/bin/runc is runc " + c.version + ", which containers can escape from"
		if c.version == "" && text != "" || c.version != "" && !strings.Contains(text, want) {
			t.Errorf("%s: got %q, want %q", name, text, c.version)
		}
	}
}
