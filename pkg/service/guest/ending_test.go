package guest

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/container/mount"
	"slipway/test/skip"
)

func TestBoots(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lib/boot.json")
	begin := func(id string) (*EndingBook, *Ending) {
		t.Helper()
		b, last, err := openEnding(path, id, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return b, last
	}
	if _, last := begin("one"); last != nil {
		t.Errorf("first boot: %+v", last)
	}
	if _, last := begin("one"); last != nil {
		t.Errorf("a second supervisor of the same boot: %+v", last)
	}
	b, last := begin("two")
	if last == nil || last.Reason != surprise || last.BootID != "one" {
		t.Errorf("after a power cut: %+v", last)
	}
	for _, reason := range []string{"service db failed", "shutdown"} {
		if err := b.End(reason); err != nil {
			t.Fatal(err)
		}
	}
	if _, last = begin("three"); last == nil || last.Reason != "service db failed" || last.Ended.IsZero() {
		t.Errorf("after an orderly end: %+v", last)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, last = begin("four"); last == nil || last.Reason == "" {
		t.Errorf("after a broken note: %+v", last)
	}
	b, _ = begin("five")
	for _, cause := range []string{"x hangs", "", "the watchdog was not fed"} {
		if err := b.Suspect(cause); err != nil {
			t.Fatal(err)
		}
	}
	if b, last = begin("six"); last == nil || last.Reason != "no orderly shutdown: the watchdog was not fed" {
		t.Errorf("after a reset that was suspected: %+v", last)
	}
	if err := errors.Join(b.Suspect("x hangs"), b.Suspect("")); err != nil {
		t.Fatal(err)
	}
	if b, last = begin("seven"); last == nil || last.Reason != surprise {
		t.Errorf("after a suspicion that was over: %+v", last)
	}
	if err := errors.Join(b.Suspect("x hangs"), b.End("reboot was asked for")); err != nil {
		t.Fatal(err)
	}
	if _, last = begin("eight"); last == nil || last.Reason != "reboot was asked for" {
		t.Errorf("a reason outdoes a suspicion: %+v", last)
	}
	var none *EndingBook
	if err := none.Suspect("x"); err != nil {
		t.Error(err)
	}
	if err := none.End("x"); err != nil {
		t.Error(err)
	}
}

// A container that may write to /var can put anything in the note's place: it holds up
// no boot, and goes.
func TestNoteThatIsNone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "boot.json")
	target := filepath.Join(t.TempDir(), "target")
	if err := os.WriteFile(target, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, put := range map[string]func() error{
		"fifo": func() error { return unix.Mkfifo(path, 0o600) },
		"link": func() error { return os.Symlink(target, path) },
		"endless": func() error {
			return errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, 1<<32))
		},
	} {
		if err := put(); err != nil {
			t.Fatal(err)
		}
		if _, last, err := openEnding(path, "one", time.Now()); err != nil || last == nil || !strings.HasPrefix(last.Reason, "not known: ") {
			t.Errorf("%s: %+v, %v", name, last, err)
		}
		if _, last, err := openEnding(path, "two", time.Now()); err != nil || last == nil || last.BootID != "one" {
			t.Errorf("%s, at the next boot: %+v, %v", name, last, err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	if text, err := os.ReadFile(target); err != nil || string(text) != "{}" {
		t.Errorf("where the link led: %q, %v", text, err)
	}
}

func TestNothingIsNotedOnTmpfs(t *testing.T) {
	if lasts, err := mount.Lasts("/dev/shm"); err != nil || lasts {
		skip.Test(t, skip.Tmpfs, lasts, " ", err)
	}
	b, last, err := OpenEnding("/dev/shm")
	if b != nil || last != nil || err != nil {
		t.Errorf("%v %v %v", b, last, err)
	}
	if _, err := os.Stat("/dev/shm/lib"); err == nil {
		t.Error("something was written")
	}
}
