package build

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"slipway/pkg/build/output"
	"slipway/pkg/build/spec"
	"slipway/pkg/build/tree"
)

// TestReport compares the table with the image itself: its sizes must add up to
// the contents of the tar, each once, and its files to all entries.
func TestReport(t *testing.T) {
	store := fixtures(t)
	library := strings.Repeat("library", 1000)
	put(t, store, "test/one:1", v1.Config{Cmd: []string{"one"}}, archive(t, "lib/", "lib/so="+library, "lib/copy="+library, "one=only here"))
	put(t, store, "test/two:1", v1.Config{Cmd: []string{"two"}}, archive(t, "lib/", "lib/so="+library, "two=and here"))
	file := filepath.Join(t.TempDir(), "m.yml")
	text := "kernel: {image: 'test/kernel:1', cmdline: x}\ninit: ['test/init:1']\nonboot:\n  - {name: a, image: 'test/one:1'}\n  - {name: b, image: 'test/one:1'}\n" +
		"services:\n  - {name: web, image: 'test/two:1', annotations: {slipway.seccomp: unconfined}}\nfiles:\n  - {path: etc/note, contents: note}\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	b := &Builder{Finder: only{store}, Hardening: spec.HardeningDefault}
	b.Platform.OS, b.Platform.Architecture = "linux", "amd64"
	m, err := b.BuildFiles(t.Context(), []string{file}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := m.PutSBOM("sbom.spdx.json", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	shares, err := m.Shares()
	if err != nil {
		t.Fatal(err)
	}
	var total Share
	by := map[string]Share{}
	for _, s := range shares {
		total.Bytes, total.Shared, total.Files = total.Bytes+s.Bytes, total.Shared+s.Shared, total.Files+s.Files
		by[s.Location] = s
	}
	if once, twice, entries := contents(t, m); total.Bytes != once || total.Shared != twice || total.Files != entries {
		t.Errorf("%+v in all; the image has %d bytes, %d of copies and %d entries", total, once, twice, entries)
	}
	if s := by["onboot[0]"]; s.Name != "a" || s.Image != "test/one:1" || s.Bytes < int64(len(library)) || s.Shared < int64(len(library)) {
		t.Errorf("the first of an image: %+v", s)
	}
	if s := by["onboot[1]"]; s.Name != "b" || s.Bytes > 6000 {
		t.Errorf("the second of an image: %+v", s)
	}
	if s := by["services[0]"]; s.Name != "web" || s.Shared < int64(len(library)) || s.Bytes > 6000 {
		t.Errorf("an image with the same library: %+v", s)
	}
	if by[""].Bytes == 0 || by["files[0]"].Bytes != 4 {
		t.Errorf("the builder's %+v, of files %+v", by[""], by["files[0]"])
	}
	var table bytes.Buffer
	if err := m.WriteReport(&table); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`(?m)^ *SIZE +SHARED +FILES +PLACE$`, `kB +7\.0 kB +\d+  +services\[0\] web test/two:1\n`, `\n.* - +1 +files\[0\]\n`, `in all, before compression\n$`} {
		if !regexp.MustCompile(want).Match(table.Bytes()) {
			t.Errorf("no %s in\n%s", want, &table)
		}
	}
	if err := m.Root.Put("lost", tree.Entry{Type: tar.TypeReg, Inode: &tree.Inode{Size: 1, Data: (*os.File)(nil)}}); err != nil {
		t.Fatal(err)
	}
	if err := m.WriteReport(io.Discard); err == nil || err.Error() != "report what takes the room: read lost: invalid argument" {
		t.Errorf("a content that cannot be read: %v", err)
	}
}

// contents counts what the image's tar holds: bytes of different contents, bytes
// of copies of those, and entries.
func contents(t *testing.T, m *Machine) (once, twice int64, entries int) {
	t.Helper()
	var out bytes.Buffer
	if err := output.WriteTar(t.Context(), &out, m.Root.Nodes(), output.TarOptions{}); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for r := tar.NewReader(&out); ; entries++ {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return once, twice, entries
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if seen[string(data)] {
			twice += h.Size
		} else {
			seen[string(data)], once = true, once+h.Size
		}
	}
}
