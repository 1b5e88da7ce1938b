package record

import (
	"errors"
	"os"
	"testing"
)

func TestWriteAndRead(t *testing.T) {
	dir, enough := t.TempDir(), errors.New("enough")
	if found, err := Read(dir); err != nil || len(found) != 0 {
		t.Errorf("nothing is %v, %v", found, err)
	}
	said := map[string]int{}
	if err := Write(dir, func(kind string, n int) error {
		said[kind] = n
		if kind == "file" && n == 5 {
			return enough
		}
		return nil
	}); !errors.Is(err, enough) {
		t.Fatal(err)
	}
	found, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range Kinds {
		if found[kind] != said[kind] {
			t.Errorf("%s: %d of %d", kind, found[kind], said[kind])
		}
	}
	for name, kind := range map[string]string{"lines": "line", "current": "name"} {
		if err := os.WriteFile(dir+"/"+name, []byte(Line(1)[:20]), 0o600); err != nil {
			t.Fatal(err)
		}
		if found, err := Read(dir); err != nil || found[kind] != 0 {
			t.Errorf("%s cut off: %v, %v", name, found, err)
		}
	}
	if err := os.Remove(dir + "/" + fileName(3)); err != nil {
		t.Fatal(err)
	}
	if found, err := Read(dir); err != nil || found["file"] != 2 {
		t.Errorf("a file is gone: %v, %v", found, err)
	}
}
