package output

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"testing"

	"slipway/pkg/build/tree"
)

// TestPipe writes a tar to a pipe: contents that lie in a file, at odd places and of odd
// sizes, and others. It is the same as one that is written to memory.
func TestPipe(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "layer")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	data := make([]byte, 5<<20)
	for i := range data {
		data[i] = byte(i>>8 ^ i)
	}
	if _, err := file.Write(data); err != nil {
		t.Fatal(err)
	}
	layer := io.NewSectionReader(file, 100, int64(len(data))-100)
	tr := tree.New()
	for i, size := range []int64{0, 1, 511, 512, 513, minSplice - 1, minSplice, minSplice + 1, 3<<20 + 5} {
		for kind, from := range map[string]io.ReaderAt{"file": io.NewSectionReader(layer, 1000+int64(i), size), "memory": bytes.NewReader(data[:size])} {
			e := tree.Entry{Type: tar.TypeReg, Mode: 0o644, ModTime: tree.Epoch, Inode: &tree.Inode{Size: size, Data: from}}
			if err := tr.Put(fmt.Sprintf("%s-%d", kind, i), e); err != nil {
				t.Fatal(err)
			}
		}
	}
	var want, got bytes.Buffer
	if err := WriteTar(context.Background(), &want, tr.Nodes(), TarOptions{}); err != nil {
		t.Fatal(err)
	}
	read, pipe, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- pipeTar(context.Background(), pipe, tr.Nodes(), nil) }()
	if _, err := got.ReadFrom(read); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want.Bytes()) {
		t.Errorf("%d bytes by a pipe, %d to memory, and not the same", got.Len(), want.Len())
	}
}

// TestShortFile has a file that lost its end: that is told, and nothing waits.
func TestShortFile(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "layer")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	tr := tree.New()
	if err := tr.Put("a", tree.Entry{Type: tar.TypeReg, ModTime: tree.Epoch, Inode: &tree.Inode{Size: 1 << 20, Data: file}}); err != nil {
		t.Fatal(err)
	}
	read, pipe, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	if err := pipeTar(context.Background(), pipe, tr.Nodes(), nil); err == nil {
		t.Error("no error")
	}
}
