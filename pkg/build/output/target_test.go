package output

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestLeftoversGo removes the files of a build that was killed days ago, and no
// others.
func TestLeftoversGo(t *testing.T) {
	dir := t.TempDir()
	for name, age := range map[string]time.Duration{
		".m.tar.tmp-1": 48 * time.Hour, ".m.tar.tmp-2": 0, ".other.tar.tmp-1": 48 * time.Hour, "m.tar": 48 * time.Hour,
	} {
		file, then := filepath.Join(dir, name), time.Now().Add(-age)
		if err := os.WriteFile(file, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, then, then); err != nil {
			t.Fatal(err)
		}
	}
	to := &Target{Dir: dir, Name: "m"}
	if err := to.WriteFile(".tar", func(*os.File) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := to.Commit(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if want := []string{".m.tar.tmp-2", ".other.tar.tmp-1", "m.tar"}; !slices.Equal(names, want) {
		t.Errorf("left are %v, want %v", names, want)
	}
}
