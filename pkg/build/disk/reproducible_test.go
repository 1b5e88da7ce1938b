package disk

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestReproducible makes each medium twice: the second time later, in another
// time zone, under another umask, from other files with the same content.
func TestReproducible(t *testing.T) {
	zone := time.Local
	t.Cleanup(func() { time.Local = zone })
	for _, f := range Formats {
		time.Local = zone
		one := sumOf(t, makeMedium(t, f.Name, testBoot(t, "amd64")))
		time.Local = time.FixedZone("elsewhere", 5*3600+1800)
		old := syscall.Umask(0o077)
		// go-diskfs takes this for the time of day.
		t.Setenv("SOURCE_DATE_EPOCH", "1000000000")
		two := sumOf(t, makeMedium(t, f.Name, testBoot(t, "amd64")))
		syscall.Umask(old)
		if err := os.Unsetenv("SOURCE_DATE_EPOCH"); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(one, two) {
			t.Errorf("%s: the same inputs give other bytes", f.Name)
		}
	}
}

func sumOf(t *testing.T, name string) []byte {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		t.Fatal(err)
	}
	return hash.Sum(nil)
}

// ending is a context that ends when it has been asked often enough whether it
// has.
type ending struct {
	context.Context
	left int
}

var errEnough = errors.New("the user has had enough")

func (e *ending) Err() error {
	if e.left--; e.left < 0 {
		return errEnough
	}
	return nil
}

// TestCancelLeavesNothing ends the context early, later and so on until a
// medium is complete before its context ends.
func TestCancelLeavesNothing(t *testing.T) {
	b := testBoot(t, "amd64")
	for _, f := range Formats {
		ended := 0
		for left := 0; ; left = left*5/4 + 1 {
			dir := t.TempDir()
			out, err := f.Write(&ending{context.Background(), left}, dir, b)
			names := files(t, dir)
			if err == nil {
				if len(names) != 1 || filepath.Join(dir, names[0]) != out {
					t.Errorf("%s: directory holds %v, want %s only", f.Name, names, out)
				}
				break
			}
			ended++
			if !errors.Is(err, errEnough) || names != nil {
				t.Errorf("%s, ended after %d looks: error %v, left %v", f.Name, left, err, names)
			}
		}
		if ended < 5 {
			t.Errorf("%s was complete after %d tries: its context is hardly looked at", f.Name, ended)
		}
	}
}

func TestFailureKeepsTheOldFile(t *testing.T) {
	b := testBoot(t, "amd64")
	f, _ := Find("raw-efi")
	dir := t.TempDir()
	out, err := f.Write(t.Context(), dir, b)
	if err != nil {
		t.Fatal(err)
	}
	old := sumOf(t, out)
	b.Initrd = "/nowhere"
	if _, err := f.Write(t.Context(), dir, b); err == nil {
		t.Fatal("an initrd that is not there was taken")
	}
	if !bytes.Equal(old, sumOf(t, out)) {
		t.Error("a failed build changed the disk of the one before")
	}
	if names := files(t, dir); len(names) != 1 {
		t.Errorf("left %v", names)
	}
}
