package document

import (
	"os"
	"path/filepath"
	"testing"
)

func TestWhatIsNotMeasuredStays(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bench.md")
	if err := os.WriteFile(file, []byte("# Old\n\nwords\n\n## Host\n\nold host\n\n## Boot\n\nold boot\n\n## Notes\n\nby hand\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	d, err := Read(file, "# New\n", []string{"Boot", "Host", "Never"})
	if err != nil {
		t.Fatal(err)
	}
	d.Put("Boot", "new boot\n")
	if err := d.Write(file); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if want := "# New\n\n## Boot\n\nnew boot\n\n## Host\n\nold host\n\n## Notes\n\nby hand\n"; string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
