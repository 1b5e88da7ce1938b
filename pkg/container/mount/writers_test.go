package mount

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// lay makes a tree: names that end in / are directories, "a -> b" is a link, others
// are files. $ stands for the tree's own path.
func lay(t *testing.T, names ...string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		name, target, isLink := strings.Cut(n, " -> ")
		at := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(at), 0o755)
		switch {
		case err != nil:
		case isLink:
			err = os.Symlink(strings.ReplaceAll(target, "$", dir), at)
		case strings.HasSuffix(name, "/"):
			err = os.MkdirAll(at, 0o755)
		default:
			err = os.WriteFile(at, nil, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestWriters(t *testing.T) {
	dir := lay(t,
		"etc/", "etc/conf -> ../run/conf", "run/conf", "data -> $/var/data", "again -> data",
		"var/data/a/", "var/shared/x/in", "var/shared/own/", "var/shared/inner/d/",
		"var/shared/out -> $/etc", "var/shared/up -> ../data", "var/shared/near -> own", "var/shared/far -> $/var/shared/x",
		"var/shared/back -> ../../var/shared/own", "var/shared/chain -> out/../var/shared/x", "var/shared/loop -> loop",
		"var/shared/proc -> /proc/self/root/etc", "var/shared/inner/up -> ../own", "var/shared/gone -> $/etc/gone",
		"var/toshared -> shared/out",
	)
	writers := Writers{
		{Dir: "$/var/shared", Deep: true, Name: "a"},
		{Dir: "$/var/shared/inner/", Name: "b"},
		{Dir: "$/srv", Name: "nowhere"},
	}
	for i, w := range writers {
		writers[i].Dir = strings.ReplaceAll(w.Dir, "$", dir)
	}
	writers, err := writers.Real()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]struct {
		real  string
		loose bool
		err   error
	}{
		"/etc":                   {"/etc", false, nil},
		"/etc/conf":              {"/run/conf", false, nil},
		"/again/a":               {"/var/data/a", false, nil},
		"/var/shared":            {"/var/shared", false, nil},
		"/var/shared/x/in":       {"/var/shared/x/in", true, nil},
		"/var/shared/near":       {"/var/shared/own", true, nil},
		"/var/shared/far/in":     {"/var/shared/x/in", true, nil},
		"/var/shared/back":       {"/var/shared/own", true, nil},
		"/var/shared/inner/d":    {"/var/shared/inner/d", true, nil},
		"/var/shared/out":        {"", true, ErrLedOut},
		"/var/shared/out/conf":   {"", true, ErrLedOut},
		"/var/shared/up/a":       {"", true, ErrLedOut},
		"/var/shared/chain/in":   {"/var/shared/x/in", true, nil}, // out of it, and back
		"/var/shared/proc":       {"", true, ErrLedOut},
		"/var/shared/inner/up":   {"", true, ErrLedOut},
		"/var/toshared":          {"", true, ErrLedOut},
		"/var/shared/loop":       {"", true, unix.ELOOP},
		"/var/shared/gone":       {"", true, unix.ENOENT},
		"/var/shared/no/such":    {"", true, unix.ENOENT},
		"/etc/no":                {"", false, unix.ENOENT},
		"/etc/../var/shared/out": {"", true, ErrLedOut},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := writers.Open(dir + name)
			if !errors.Is(err, want.err) || found.Loose != want.loose {
				t.Fatalf("loose %v, error %v", found.Loose, err)
			}
			if err != nil {
				return
			}
			real, err := found.Real()
			if err != nil || real != dir+want.real {
				t.Errorf("%s, %v", real, err)
			}
			if err := found.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A directory is made where the path leads, and not where a container's link does.
func TestWritersMake(t *testing.T) {
	dir := lay(t, "etc/", "link -> $/var", "var/shared/out -> $/etc", "var/shared/gone -> $/etc/gone", "var/shared/near -> own", "var/shared/own/")
	w := Writers{{Dir: dir + "/var/shared", Deep: true, Name: "a"}}
	for name, want := range map[string]string{
		"/link/new/deep": "/var/new/deep", "/var/shared/near/n": "/var/shared/own/n", "/var/shared/own/m": "/var/shared/own/m",
		"/var/shared/out/n": "", "/var/shared/gone": "", "/var/shared/gone/n": "",
	} {
		d, made, err := w.Make(dir+name, 0o755)
		if want == "" {
			if err == nil || len(made) > 0 {
				t.Errorf("%s: made %v, %v", name, made, err)
			}
			continue
		}
		if err != nil || len(made) == 0 || made[len(made)-1] != dir+want {
			t.Errorf("%s: made %v, %v", name, made, err)
			continue
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	if entries, err := os.ReadDir(dir + "/etc"); err != nil || len(entries) > 0 {
		t.Errorf("%v, %v in what the links lead to", entries, err)
	}
}

// While a container swaps a directory for a link out of its own, over and over, what is
// opened is never what the link leads to.
func TestWritersRace(t *testing.T) {
	dir := lay(t, "etc/", "var/shared/x/", "var/shared/y -> $/etc", "var/shared/z -> x")
	w := Writers{{Dir: dir + "/var/shared", Deep: true, Name: "a"}}
	stop, stopped := make(chan struct{}), make(chan error)
	go func() {
		for {
			select {
			case <-stop:
				stopped <- nil
				return
			default:
			}
			if err := unix.Renameat2(unix.AT_FDCWD, dir+"/var/shared/x", unix.AT_FDCWD, dir+"/var/shared/y", unix.RENAME_EXCHANGE); err != nil {
				stopped <- err
				return
			}
		}
	}()
	found := 0
	for i := range 6000 {
		d, err := w.Open(dir + "/var/shared/" + []string{"x", "z"}[i%2])
		if err != nil {
			if !errors.Is(err, ErrLedOut) {
				t.Error(err)
			}
			continue
		}
		found++
		real, err := d.Real()
		if err != nil || !Below(real, dir+"/var/shared") {
			t.Errorf("%s, %v", real, err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	if err := <-stopped; err != nil || found == 0 {
		t.Errorf("%d times found, %v", found, err)
	}
}

// The text of a link of /proc is not where it leads.
func TestWritersOfProc(t *testing.T) {
	w := Writers{{Dir: "/nowhere/at/all", Name: "a"}}
	found, err := w.Open("/proc/self/ns/mnt")
	if err != nil {
		t.Fatal(err)
	}
	if err := found.Close(); err != nil || found.Loose {
		t.Errorf("loose %v, %v", found.Loose, err)
	}
}
