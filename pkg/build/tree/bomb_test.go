package tree

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"slipway/test/heap"
)

// endless is a tar that never ends: entry n is made when it is read.
type endless struct {
	entry func(n int) []byte
	size  int64 // of every entry, headers included
	n     int
	last  []byte
}

func (e *endless) ReadAt(p []byte, off int64) (int, error) {
	done := 0
	for done < len(p) {
		n := int((off + int64(done)) / e.size)
		if e.last == nil || n != e.n {
			e.n, e.last = n, e.entry(n)
		}
		done += copy(p[done:], e.last[(off+int64(done))%e.size:])
	}
	return done, nil
}

// entries makes an endless tar of headers that are all of one size.
func entries(t *testing.T, header func(n int) *tar.Header) *io.SectionReader {
	t.Helper()
	encode := func(n int) []byte {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		if err := w.WriteHeader(header(n)); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	return io.NewSectionReader(&endless{entry: encode, size: int64(len(encode(0)))}, 0, 1<<50)
}

// TestBombs reads layers without end. What they take in memory is bounded by
// the limits, whatever they consist of.
func TestBombs(t *testing.T) {
	limits := Limits{Bytes: 1 << 40, Entries: 10_000}
	const bound = 48 << 20 // about 0.6 kB an entry
	xattr := strings.Repeat("x", 60_000)
	deep := strings.Repeat("d/", 2000)
	link := strings.Repeat("l", 200)
	cases := map[string]struct {
		header func(n int) *tar.Header
		want   string
	}{
		"entries":     {func(n int) *tar.Header { return &tar.Header{Name: fmt.Sprintf("f%09d", n), Typeflag: tar.TypeReg} }, "entries"},
		"directories": {func(n int) *tar.Header { return &tar.Header{Name: fmt.Sprintf("%09d/", n), Typeflag: tar.TypeDir} }, "entries"},
		"duplicates":  {func(n int) *tar.Header { return &tar.Header{Name: "f", Typeflag: tar.TypeReg, Mode: int64(n % 512)} }, "entries"},
		"whiteouts":   {func(n int) *tar.Header { return &tar.Header{Name: fmt.Sprintf(".wh.%09d", n), Typeflag: tar.TypeReg} }, "entries"},
		"opaque":      {func(int) *tar.Header { return &tar.Header{Name: "d/.wh..wh..opq", Typeflag: tar.TypeReg} }, "entries"},
		"devices": {func(n int) *tar.Header {
			return &tar.Header{Name: fmt.Sprintf("d%09d", n), Typeflag: tar.TypeBlock, Devminor: 1}
		}, "entries"},
		"xattrs": {func(n int) *tar.Header {
			return &tar.Header{Name: fmt.Sprintf("f%09d", n), Typeflag: tar.TypeReg, PAXRecords: map[string]string{"SCHILY.xattr.user.x": xattr}}
		}, "attributes of more than"},
		"depth": {func(n int) *tar.Header {
			return &tar.Header{Name: fmt.Sprintf("%s%09d", deep, n), Typeflag: tar.TypeReg, Format: tar.FormatPAX}
		}, "attributes of more than"},
		"directories without entries": {func(n int) *tar.Header {
			return &tar.Header{Name: fmt.Sprintf("%09d/%sf", n, strings.Repeat("d/", 40)), Typeflag: tar.TypeReg}
		}, "entries"},
		"directories behind links": {func(n int) *tar.Header {
			switch {
			case n == 0:
				return &tar.Header{Name: "l", Linkname: "m/" + strings.Repeat("d/", 48), Typeflag: tar.TypeSymlink}
			case n%2 == 1:
				return &tar.Header{Name: "m", Linkname: fmt.Sprintf("%09d", n), Typeflag: tar.TypeSymlink}
			}
			return &tar.Header{Name: "l/f", Typeflag: tar.TypeReg}
		}, "entries"},
		"links": {func(n int) *tar.Header {
			return &tar.Header{Name: fmt.Sprintf("%0200d", n), Linkname: link, Typeflag: tar.TypeSymlink, Format: tar.FormatPAX}
		}, "attributes of more than"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			layer := entries(t, c.header)
			var err error
			tr := New()
			took := heap.Growth(func() { err = tr.AddLayer(layer, &Origin{Image: "bomb"}, limits) })
			runtime.KeepAlive(tr)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if took > bound {
				t.Errorf("took %d MB", took>>20)
			}
			t.Logf("took %d MB", took>>20)
		})
	}
}

// TestHideOnce wants time that grows with the entries, not with their square.
func TestHideOnce(t *testing.T) {
	var lower, upper []entry
	for i := range 3000 {
		lower = append(lower, file(fmt.Sprintf("d/%d", i), ""))
		upper = append(upper, file("d/.wh..wh..opq", ""))
	}
	tr, err := stack(t, lower, upper)
	if err != nil {
		t.Fatal(err)
	}
	if got := listing(t, tr); got != "d/" {
		t.Errorf("got %.80s", got)
	}
	for i := range upper {
		upper[i] = file(".wh.d", "")
	}
	tr, err = stack(t, lower, append([]entry{file("d/own", "")}, upper...))
	if err != nil {
		t.Fatal(err)
	}
	if got := listing(t, tr); got != "d/ d/own=" {
		t.Errorf("got %.80s", got)
	}
}
