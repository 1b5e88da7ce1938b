package layout

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"slipway/pkg/bundle"
)

// The names are LinuxKit's where it has them, and no two files of a container are one.
func TestPlaces(t *testing.T) {
	for _, c := range []struct {
		section                            bundle.Section
		directory, out, err, index, memory string
	}{
		{bundle.Services, "web", "/var/log/web.out.log", "/var/log/web.log", "/var/log/slipway/web.idx", "/run/slipway/logs/web"},
		{bundle.Onboot, "000-dhcp", "/run/log/onboot/onboot.000-dhcp.out.log", "/run/log/onboot/onboot.000-dhcp.log",
			"/run/slipway/logs/files/onboot.000-dhcp.idx", "/run/slipway/logs/onboot.000-dhcp"},
		{bundle.Onshutdown, "000-bye", "/run/log/shutdown/shutdown.000-bye.out.log", "/run/log/shutdown/shutdown.000-bye.log",
			"/run/slipway/logs/files/shutdown.000-bye.idx", "/run/slipway/logs/shutdown.000-bye"},
	} {
		at := Paths{}.OrDefault().Section(c.section, c.directory)
		seen := map[string]bool{}
		for got, want := range map[string]string{
			at.File(Stdout): c.out, at.File(Stderr): c.err, at.Index(): c.index, at.SpoolIndex(): c.memory + ".idx",
			at.Fifo(Stdout): c.memory + ".out.fifo", at.Fifo(Stderr): c.memory + ".fifo",
			at.Spool(Stdout): c.memory + ".out.spool", at.Spool(Stderr): c.memory + ".spool",
			at.Shown(Stdout): c.memory + ".out.shown", at.Shown(Stderr): c.memory + ".shown",
		} {
			if got != want {
				t.Errorf("%s, want %s", got, want)
			}
			seen[got] = true
		}
		if len(seen) != 10 {
			t.Errorf("%s: two of %v are one", c.directory, seen)
		}
	}
}

func TestOrDefaultKeepsWhatIsSet(t *testing.T) {
	got := Paths{Log: "/mnt/log", Kmsg: "/dev/null"}.OrDefault()
	if want := (Paths{Run: "/run", Log: "/mnt/log", Memlogd: "/run/linuxkit-external-logging.sock", Kmsg: "/dev/null"}); got != want {
		t.Errorf("%+v", got)
	}
}

// Whatever somebody has put in the place of a file is an error at once: opening waits
// for nobody at the other end, and follows no link.
func TestOpenRegular(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(os.WriteFile(path("file"), []byte("text"), 0o600), os.Symlink(path("file"), path("link")),
		os.Symlink("/dev/null", path("to-device")), unix.Mkfifo(path("fifo"), 0o600), os.Mkdir(path("dir"), 0o700)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"link", "to-device", "fifo", "dir"} {
		for _, flags := range []int{os.O_RDONLY, os.O_WRONLY, os.O_WRONLY | os.O_CREATE | os.O_APPEND} {
			f, err := OpenRegular(path(name), flags, 0o600)
			// A directory is refused by the kernel if it is to be written.
			if f != nil || !errors.Is(err, ErrNotRegular) && !errors.Is(err, unix.EISDIR) {
				t.Errorf("%s, flags %#x: %v", name, flags, err)
			}
		}
	}
	if f, err := OpenRegular("/dev/null", os.O_RDWR, 0); f != nil || !errors.Is(err, ErrNotRegular) {
		t.Errorf("a device: %v", err)
	}
	if f, err := OpenRegular(path("none"), os.O_RDONLY, 0); f != nil || !errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrNotRegular) {
		t.Errorf("none: %v", err)
	}
	f, err := OpenRegular(path("file"), os.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	text := make([]byte, 4)
	if _, err := f.Read(text); err != nil || string(text) != "text" {
		t.Errorf("%q %v", text, err)
	}
}
