package guest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestBuildOf(t *testing.T) {
	name := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(name, []byte("abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	// FIPS 180-2 has the sum of "abc".
	if got, err := BuildOf(name); got != "ba7816bf8f01" || err != nil {
		t.Errorf("%s, %v", got, err)
	}
	if _, err := BuildOf(name + "2"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
