package build

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"slipway/pkg/build/oci"
	"slipway/pkg/build/spec"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	spdxjson "github.com/spdx/tools-golang/json"
)

// TestSBOM reads the document of a machine back: each image with the digest that
// it has in the store, the places that name it, and what lies in it.
func TestSBOM(t *testing.T) {
	store := fixtures(t)
	put(t, store, "test/alpine:1", v1.Config{Cmd: []string{"x"}, Labels: map[string]string{oci.SourcesLabel: "tool=1.2-3"}},
		archive(t, "lib/apk/db/installed=P:musl\nV:1.2.4-r2\nA:x86_64\n\n", "x=x"))
	file := filepath.Join(t.TempDir(), "m.yml")
	text := "kernel: {image: 'test/kernel:1', cmdline: x}\ninit: ['test/init:1', 'test/alpine:1']\nonboot:\n  - {name: a, image: 'test/app:1'}\n" +
		"services:\n  - {name: b, image: 'test/app:1'}\n  - {name: c, image: 'test/alpine:1'}\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	var all [2][]byte
	for i := range all {
		b := &Builder{Finder: only{store}, Hardening: spec.HardeningDefault}
		b.Platform.OS, b.Platform.Architecture = "linux", "amd64"
		m, err := b.BuildFiles(t.Context(), []string{file}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if all[i], err = m.SBOM(t.Context(), "m"); err != nil {
			t.Fatal(err)
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(all[0], all[1]) {
		t.Error("two builds of one machine list other things, or in another order")
	}
	doc, err := spdxjson.Read(bytes.NewReader(all[0]))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, p := range doc.Packages {
		got[p.PackageName] = p.PackageVersion + " " + p.PackageComment
	}
	items, err := store.List()
	if err != nil {
		t.Fatal(err)
	}
	digests := map[string]string{}
	for _, i := range items {
		digests[i.Name] = i.Digest.String()
	}
	want := map[string]string{"m": " ", "musl": "1.2.4-r2 ", "tool": "1.2-3 "}
	for image, places := range map[string]string{
		"docker.io/test/kernel:1": "kernel", "docker.io/test/init:1": "init[0]", "docker.io/test/alpine:1": "init[1], services[1]",
		"docker.io/test/app:1": "onboot[0], services[0]",
	} {
		want[image] = digests[image] + " " + places
	}
	for name, w := range want {
		if got[name] != w {
			t.Errorf("%s: %q, want %q", name, got[name], w)
		}
	}
	if len(got) != len(want) {
		t.Errorf("the document lists %q", got)
	}
}
