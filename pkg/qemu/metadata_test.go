package qemu

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/diskfs/go-diskfs"
)

func TestMakeMetadata(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "state", "data.iso")
	want := `{"hello": {"content": "world"}}`
	if err := MakeMetadata(name, []byte(want)); err != nil {
		t.Fatal(err)
	}
	d, err := diskfs.Open(name, diskfs.WithOpenMode(diskfs.ReadOnly))
	if err != nil {
		t.Fatal(err)
	}
	fs, err := d.GetFilesystem(0)
	if err != nil {
		t.Fatal(err)
	}
	got, err := fs.ReadFile("config")
	if err != nil || string(got) != want {
		t.Errorf("config is %q, %v", got, err)
	}
	// The disc may be in a machine when it is made again.
	inUse, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer inUse.Close()
	before, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := MakeMetadata(name, []byte("other")); err != nil {
		t.Fatal(err)
	}
	if now, err := io.ReadAll(inUse); err != nil || !bytes.Equal(now, before) {
		t.Errorf("the disc of a machine that runs has changed, %v", err)
	}
	left, err := os.ReadDir(filepath.Dir(name))
	if err != nil || len(left) != 1 {
		t.Errorf("left beside the disc: %v, %v", left, err)
	}
}
