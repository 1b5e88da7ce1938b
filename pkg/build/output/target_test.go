package output

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
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

func putTo(to *Target, text string) error {
	err := to.WriteFile("", func(w *os.File) error {
		_, err := w.WriteString(text)
		return err
	})
	if err == nil {
		_, err = to.Commit()
	}
	return err
}

// TestPipeStays writes to a pipe, named itself and by a link, as to a device: it is
// not replaced by a file.
func TestPipeStays(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", t.TempDir())
	pipe, link := filepath.Join(dir, "pipe"), filepath.Join(dir, "link")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("pipe", link); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{pipe, link} {
		// Open for both, a pipe blocks nobody.
		read, err := os.OpenFile(pipe, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := putTo(&Target{File: name}, "image"); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(name); err != nil || info.Mode().Type() != os.ModeNamedPipe {
			t.Fatalf("%s is %v, %v now", name, info.Mode(), err)
		}
		got := make([]byte, len("image"))
		if _, err := io.ReadFull(read, got); err != nil || string(got) != "image" {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
		if err := read.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, d := range []string{dir, os.TempDir()} {
		if left, err := filepath.Glob(filepath.Join(d, ".*.tmp-*")); err != nil || len(left) > 0 {
			t.Errorf("left are %v, %v", left, err)
		}
	}
}

// TestLinkStays replaces the file that a link leads to, or makes it.
func TestLinkStays(t *testing.T) {
	for _, old := range []bool{true, false} {
		for _, target := range []string{"m-1.tar", "sub/../m-1.tar", "other", "/m-1.tar"} {
			dir := t.TempDir()
			if filepath.IsAbs(target) {
				target = dir + target
			}
			file, link := filepath.Join(dir, "m-1.tar"), filepath.Join(dir, "m.tar")
			if err := errors.Join(os.Mkdir(filepath.Join(dir, "sub"), 0o755), os.Symlink(target, link), os.Symlink("m-1.tar", filepath.Join(dir, "other"))); err != nil {
				t.Fatal(err)
			}
			if old {
				if err := os.WriteFile(file, []byte("old"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if err := putTo(&Target{File: link}, "new"); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(file)
			if to, linkErr := os.Readlink(link); err != nil || linkErr != nil || string(got) != "new" || to != target {
				t.Errorf("%s, %t: got %q, a link to %q; %v, %v", target, old, got, to, err, linkErr)
			}
		}
	}
	dir := t.TempDir()
	link := filepath.Join(dir, "circle")
	if err := os.Symlink("circle", link); err != nil {
		t.Fatal(err)
	}
	lost := filepath.Join(dir, "lost")
	if err := os.Symlink("none/m.tar", lost); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{link: "too many links", lost: "a link to none/m.tar: "} {
		if err := putTo(&Target{File: name}, "new"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", name, err)
		}
		if _, err := os.Readlink(name); err != nil {
			t.Error(err)
		}
	}
}

// TestDirectoryInTheWay is told before anything is written, and a directory that a
// name says is made.
func TestDirectoryInTheWay(t *testing.T) {
	dir := t.TempDir()
	for _, to := range []*Target{{File: dir}, {Dir: filepath.Dir(dir), Name: filepath.Base(dir)}} {
		err := to.WriteFile("", func(*os.File) error { t.Error("written"); return nil })
		if err == nil || !strings.Contains(err.Error(), dir+": it is a directory") {
			t.Errorf("got %v", err)
		}
	}
	if err := putTo(&Target{Dir: dir, Name: "sub/m"}, "x"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "sub/m")); err != nil {
		t.Error(err)
	}
}
