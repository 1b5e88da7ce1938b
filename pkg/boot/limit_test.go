package boot

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestReadLimit(t *testing.T) {
	file := filepath.Join(t.TempDir(), "limit")
	if got := readLimit(file); got != 0 {
		t.Errorf("no file: %s", got)
	}
	for text, want := range map[string]time.Duration{"700\n": 700 * time.Second, "": 0, "soon": 0, "99999999999999": 0} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := readLimit(file); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}
