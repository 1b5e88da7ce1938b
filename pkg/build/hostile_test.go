package build

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"path"
	"strings"
	"testing"

	"slipway/pkg/build/spec"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// TestHostileImageStaysInItsBundle builds a container of an image that tries to
// place its files elsewhere: none of it may lie outside the bundle.
func TestHostileImageStaysInItsBundle(t *testing.T) {
	store := fixtures(t)
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	for _, h := range []tar.Header{
		{Name: "/absolute/evil", Typeflag: tar.TypeReg},
		{Name: "a/../b/evil", Typeflag: tar.TypeReg},
		{Name: "root", Typeflag: tar.TypeSymlink, Linkname: "/"},
		{Name: "root/opt/evil", Typeflag: tar.TypeReg},
		{Name: "up", Typeflag: tar.TypeSymlink, Linkname: "../../../../../.."},
		{Name: "up/boot/evil", Typeflag: tar.TypeReg},
		{Name: "etc", Typeflag: tar.TypeSymlink, Linkname: "/../../etc"},
		{Name: "proc", Typeflag: tar.TypeSymlink, Linkname: "../../../../proc"},
		{Name: "dev", Typeflag: tar.TypeSymlink, Linkname: "/root/evildev"},
		{Name: "link", Typeflag: tar.TypeLink, Linkname: "/absolute/evil"},
		{Name: "sda-evil", Typeflag: tar.TypeBlock, Devmajor: 8, Mode: 0o666},
		{Name: "name\nwith\x01evil", Typeflag: tar.TypeReg, Mode: 0o4755},
		{Name: ".wh.absolute2-evil", Typeflag: tar.TypeReg},
	} {
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	put(t, store, "test/evil:1", v1.Config{Cmd: []string{"/link"}}, layer.Bytes())
	const text = "init: [test/init:1]\nvolumes: [{name: v, image: \"test/evil:1\"}]\n" +
		"onboot: [{name: c, image: \"test/evil:1\"}]\n"
	file := path.Join(t.TempDir(), "evil.yml")
	writeText(t, file, text)
	for _, hardening := range []spec.Hardening{spec.HardeningDefault, spec.HardeningNone} {
		data, err := buildTar(t, store, hardening, file)
		if err != nil {
			t.Fatal(err)
		}
		found := checkEvil(t, data)
		if found != 18 {
			t.Errorf("%d of the entries are there, want 6 and what dev leads to, 3, twice", found)
		}
	}
}

// checkEvil counts the image's entries and wants them in the bundle or volume.
func checkEvil(t *testing.T, data []byte) int {
	t.Helper()
	count := 0
	tr := tar.NewReader(bytes.NewReader(data))
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return count
		}
		if err != nil {
			t.Fatal(err)
		}
		if path.Clean(h.Name) != strings.TrimSuffix(h.Name, "/") || strings.HasPrefix(h.Name, "/") {
			t.Errorf("name %q", h.Name)
		}
		if !strings.Contains(h.Name, "evil") {
			continue
		}
		count++
		inside := func(name string) bool {
			return strings.HasPrefix(name, "containers/onboot/000-c/lower/") || strings.HasPrefix(name, "containers/volumes/v/lower/")
		}
		if !inside(h.Name) || h.Typeflag == tar.TypeLink && !inside(h.Linkname) {
			t.Errorf("%q, a link to %q, is outside", h.Name, h.Linkname)
		}
	}
}
