package tree

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// scratchIn is a file for the sparse files of a test.
func scratchIn(t *testing.T) func() (*os.File, error) {
	return func() (*os.File, error) {
		file, err := os.CreateTemp(t.TempDir(), "scratch")
		if err == nil {
			t.Cleanup(func() {
				if err := file.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		return file, err
	}
}

// sparse are the files that the archives in testdata hold.
func sparse() map[string][]byte {
	some, many := make([]byte, 500_000), make([]byte, 39<<16+2)
	copy(some[100_000:], "one")
	copy(some[300_000:], "two")
	for i := range 40 {
		copy(many[i<<16:], fmt.Sprint(i))
	}
	return map[string][]byte{"some": some, "hole": make([]byte, 1<<20), "many": many, "plain": []byte("plain")}
}

// TestSparseFiles reads what GNU tar (1.34, -S with each of its formats) and
// bsdtar (3.6.2) write.
func TestSparseFiles(t *testing.T) {
	archives, err := filepath.Glob("testdata/sparse-*.tar.gz")
	if err != nil || len(archives) != 5 {
		t.Fatalf("%v, %v", archives, err)
	}
	for _, name := range archives {
		t.Run(filepath.Base(name), func(t *testing.T) {
			data := gunzip(t, name)
			tr := New()
			tr.Scratch = scratchIn(t)
			if err := tr.AddLayer(io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data))), nil, DefaultLimits); err != nil {
				t.Fatal(err)
			}
			for name, want := range sparse() {
				n := tr.Lookup(name)
				if n == nil || n.Inode == nil || n.Type != tar.TypeReg {
					t.Errorf("%s is not there: %+v", name, n)
					continue
				}
				if got, err := io.ReadAll(n.Inode.Open()); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s: %d bytes, %v; want %d", name, len(got), err, len(want))
				}
			}
			// Holes count as well, and together.
			tr = New()
			tr.Scratch = scratchIn(t)
			err := tr.AddLayer(io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data))), nil, Limits{Bytes: 2 << 20, Entries: 10})
			if err == nil || !strings.Contains(err.Error(), `"many": a sparse file of 2555906 bytes, more than the 0 MB that are left`) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func gunzip(t testing.TB, name string) []byte {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// sparseHeader is an entry that is all hole, in PAX's form 0.1.
func sparseHeader(t *testing.T, size int64) []byte {
	t.Helper()
	records := ""
	for _, r := range []string{"GNU.sparse.numblocks=1", fmt.Sprintf("GNU.sparse.size=%d", size), fmt.Sprintf("GNU.sparse.map=%d,0", size)} {
		records += fmt.Sprintf("%02d %s\n", len(r)+4, r)
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: "f", Typeflag: tar.TypeReg, Format: tar.FormatUSTAR}); err != nil {
		t.Fatal(err)
	}
	file := b.Bytes()
	header := bytes.Clone(file)
	header[156] = tar.TypeXHeader
	copy(header[124:135], fmt.Sprintf("%011o", len(records)))
	sum := 8 * int(' ')
	for i, c := range header {
		if i < 148 || i >= 156 {
			sum += int(c)
		}
	}
	copy(header[148:156], fmt.Sprintf("%06o\x00 ", sum))
	out := append(header, records...)
	out = append(out, make([]byte, 512-len(records))...)
	return append(append(out, file...), make([]byte, 1024)...)
}

// TestSparseBombs are holes larger than any image, which nobody begins to write.
func TestSparseBombs(t *testing.T) {
	for size, want := range map[int64]string{
		1 << 20: "", 16<<30 + 1: "more than the 16384 MB that are left", math.MaxInt64: "a sparse file of 9223372036854775807 bytes",
	} {
		data := sparseHeader(t, size)
		tr := New()
		tr.Scratch = scratchIn(t)
		err := tr.AddLayer(io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data))), nil, DefaultLimits)
		if want == "" {
			if err != nil || tr.Lookup("f").Inode.Size != size {
				t.Errorf("got %v", err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `"f"`) {
			t.Errorf("%d bytes: got %v", size, err)
		}
	}
}

// TestBounds finds what Linux cannot hold.
func TestBounds(t *testing.T) {
	pax := func(h tar.Header) tar.Header { h.Format = tar.FormatPAX; return h }
	reg := func(h tar.Header) tar.Header { h.Name, h.Typeflag = "f", tar.TypeReg; return h }
	xattr := func(name string, size int) tar.Header {
		return reg(tar.Header{PAXRecords: map[string]string{"SCHILY.xattr." + name: strings.Repeat("v", size)}})
	}
	for _, c := range []struct {
		name   string
		header tar.Header
		want   string // nothing: it is taken
	}{
		{"highest owner", reg(tar.Header{Uid: 1<<32 - 2, Gid: 1<<32 - 2}), ""},
		{"no owner", reg(tar.Header{Uid: 1<<32 - 1}), `"f": owner 4294967295:0`},
		{"owner beyond 32 bits", reg(tar.Header{Uid: 1 << 32}), `"f": owner 4294967296:0`},
		{"group beyond 32 bits", reg(tar.Header{Gid: 1 << 40}), `"f": owner 0:1099511627776`},
		{"negative owner", reg(tar.Header{Uid: -1}), `"f": owner -1:0`},
		{"highest device", tar.Header{Name: "d", Typeflag: tar.TypeChar, Devmajor: 4095, Devminor: 1<<20 - 1}, ""},
		{"major too high", tar.Header{Name: "d", Typeflag: tar.TypeChar, Devmajor: 4096}, `"d": device 4096:0`},
		{"minor too high", tar.Header{Name: "d", Typeflag: tar.TypeBlock, Devminor: 1 << 20}, `"d": device 0:1048576`},
		{"longest link", tar.Header{Name: "l", Typeflag: tar.TypeSymlink, Linkname: strings.Repeat("x", 4095)}, ""},
		{"link too long", tar.Header{Name: "l", Typeflag: tar.TypeSymlink, Linkname: strings.Repeat("x", 4096)}, `"l": a symbolic link of 4096 bytes`},
		{"link to nothing", tar.Header{Name: "l", Typeflag: tar.TypeSymlink}, `"l": a symbolic link of 0 bytes`},
		{"longest name", tar.Header{Name: strings.Repeat("n", 255), Typeflag: tar.TypeReg}, ""},
		{"name too long", tar.Header{Name: strings.Repeat("n", 256), Typeflag: tar.TypeReg}, "a name longer than 255 bytes"},
		{"directory's name too long", tar.Header{Name: strings.Repeat("n", 256) + "/f", Typeflag: tar.TypeReg}, "a name longer than 255 bytes"},
		{"path too long", tar.Header{Name: strings.Repeat("d/", 2048) + "f", Typeflag: tar.TypeReg}, "a path of more than 4096 bytes"},
		{"longest attribute", xattr("user.x", 64<<10), ""},
		{"attribute too long", xattr("user.x", 64<<10+1), `attribute "user.x" of 65537 bytes`},
		{"attribute's name too long", xattr("user."+strings.Repeat("n", 255), 1), "names of 255"},
		{"fifo", tar.Header{Name: "p", Typeflag: tar.TypeFifo}, ""},
		{"contiguous file", tar.Header{Name: "c", Typeflag: tar.TypeCont}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b bytes.Buffer
			w := tar.NewWriter(&b)
			h := pax(c.header)
			if err := w.WriteHeader(&h); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			err := New().AddLayer(io.NewSectionReader(bytes.NewReader(b.Bytes()), 0, int64(b.Len())), nil, DefaultLimits)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
