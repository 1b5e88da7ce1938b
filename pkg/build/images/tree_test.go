package images

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

func tarNames(t *testing.T, data []byte) []string {
	t.Helper()
	var names []string
	for r := tar.NewReader(bytes.NewReader(data)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return names
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
		if !h.ModTime.Equal(epoch) || h.Uid != 0 || h.Gid != 0 || h.Uname != "" {
			t.Errorf("%s: time %v, owner %d:%d %q", h.Name, h.ModTime, h.Uid, h.Gid, h.Uname)
		}
	}
}

func TestWriteTarOrder(t *testing.T) {
	tree := Tree{}
	tree.AddFile("/a/b", 0o644, []byte("x"))
	tree.AddFile("a.txt", 0o600, nil)
	tree.AddLink("/a/../a/z/link", "../b")
	tree.AddDirectory("/tmp", 0o1777)
	tree.AddDirectory("/", 0o700)
	var out bytes.Buffer
	if err := tree.WriteTar(&out); err != nil {
		t.Fatal(err)
	}
	want := []string{"a/", "a/b", "a/z/", "a/z/link", "a.txt", "tmp/"}
	if got := tarNames(t, out.Bytes()); !slices.Equal(got, want) {
		t.Errorf("entries %q, want %q", got, want)
	}
}

func TestTarRoundTrip(t *testing.T) {
	tree := Tree{}
	tree.AddFile("bin/su", 0o4755, []byte("elf"))
	tree.AddDirectory("tmp", 0o1777)
	tree.AddLink("bin/sh", "busybox")
	var first, second bytes.Buffer
	if err := tree.WriteTar(&first); err != nil {
		t.Fatal(err)
	}
	back, err := ReadTar(bytes.NewReader(first.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if e := back["bin/su"]; e.Perm != 0o4755 || string(e.Data) != "elf" {
		t.Errorf("bin/su is %+v", e)
	}
	if e := back["tmp"]; e.Perm != 0o1777 {
		t.Errorf("tmp is %+v", e)
	}
	if err := back.WriteTar(&second); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("the tar of what was read differs from the tar")
	}
}

// A hard link comes behind its file, whatever they are called.
func TestWriteTarHardLink(t *testing.T) {
	tree := Tree{}
	tree.AddFile("usr/bin/program", 0o755, []byte("elf"))
	tree.AddHardLink("/a", "/usr/bin/program")
	var out bytes.Buffer
	if err := tree.WriteTar(&out); err != nil {
		t.Fatal(err)
	}
	want := []string{"usr/", "usr/bin/", "usr/bin/program", "a"}
	if got := tarNames(t, out.Bytes()); !slices.Equal(got, want) {
		t.Errorf("entries %q, want %q", got, want)
	}
	back, err := ReadTar(&out)
	if err != nil {
		t.Fatal(err)
	}
	if e := back["a"]; e.Perm != 0o755 || string(e.Data) != "elf" {
		t.Errorf("the link reads as %+v", e)
	}
}

func TestWriteTarFileAsDirectory(t *testing.T) {
	tree := Tree{}
	tree.AddFile("a", 0o644, nil)
	tree.AddFile("a/b", 0o644, nil)
	err := tree.WriteTar(io.Discard)
	if err == nil || !strings.Contains(err.Error(), "/a is not a directory") {
		t.Errorf("error %v", err)
	}
}

func TestReadTar(t *testing.T) {
	archive := func(headers ...tar.Header) []byte {
		var out bytes.Buffer
		w := tar.NewWriter(&out)
		for _, h := range headers {
			if err := w.WriteHeader(&h); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	file := tar.Header{Typeflag: tar.TypeReg, Name: "./usr/../a", Mode: 0o755}
	got, err := ReadTar(bytes.NewReader(archive(file, tar.Header{Typeflag: tar.TypeLink, Name: "./b", Linkname: "./a"})))
	if err != nil {
		t.Fatal(err)
	}
	if got["b"].Perm != 0o755 || got["a"].Type != tar.TypeReg {
		t.Errorf("tree %v", got)
	}
	for fault, data := range map[string][]byte{
		"hard link to": archive(tar.Header{Typeflag: tar.TypeLink, Name: "b", Linkname: "a"}),
		"of type":      archive(tar.Header{Typeflag: tar.TypeChar, Name: "null"}),
		"read tar":     []byte(strings.Repeat("x", 600)),
	} {
		if _, err := ReadTar(bytes.NewReader(data)); err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("error %v, want %q", err, fault)
		}
	}
}
