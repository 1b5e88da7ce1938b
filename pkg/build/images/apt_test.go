package images

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestParseURI(t *testing.T) {
	got, err := parseURI("'http://host/p/busybox-static_1.35.0-4%2bb1_amd64.deb' busybox-static_1%3a1.35.0-4+b1_amd64.deb 928188 SHA256:3d3f\n")
	want := deb{Package: "busybox-static", Version: "1:1.35.0-4+b1", Arch: "amd64", File: "busybox-static_1%3a1.35.0-4+b1_amd64.deb", SHA256: "3d3f"}
	if err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	const form = "want NAME_VERSION_ARCH.deb and SHA256"
	for line, want := range map[string]string{
		"": "want four fields", "a b c": "want four fields",
		"'u' name_1_amd64.deb 12 MD5Sum:00": form, "'u' name.deb 12 SHA256:00": form, "'u' ../x_1_amd64.deb 12 SHA256:00": form,
		"'u' name_%zz_amd64.deb 12 SHA256:00": "invalid URL escape",
	} {
		if _, err := parseURI(line); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", line, err, want)
		}
	}
}

// fakeApt puts an apt-get into PATH that has one package, and counts downloads
// in the file "count". Its mood is what the file "mood" holds: empty for well,
// "lists" when it knows no package, "network" when it cannot download, "damage"
// when it downloads something else.
func fakeApt(t *testing.T, version string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	content := "deb " + version
	script := fmt.Sprintf(`#!/bin/sh
mood=$(cat %[1]s/mood 2>/dev/null)
case "$*" in update*)
	grep -q '^APT::Architecture "arm64";' "$APT_CONFIG" || exit 9
	echo x >>%[1]s/updates
	exit ;;
esac
[ "$mood" != lists ] || { echo "E: Unable to locate package" >&2; exit 100; }
case "$*" in
*--print-uris*) echo "'http://x' thing_%[2]s_amd64.deb 9 SHA256:%[3]x" ;;
*)
	[ "$mood" != network ] || { echo "E: Could not resolve host" >&2; exit 100; }
	[ "$mood" != damage ] || { echo junk >thing_%[2]s_amd64.deb; exit 0; }
	echo x >>%[1]s/count
	printf %%s "%[4]s" >thing_%[2]s_amd64.deb ;;
esac
`, dir, version, sha256.Sum256([]byte(content)), content)
	if err := os.WriteFile(filepath.Join(dir, "apt-get"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "apt-cache"), []byte("#!/bin/sh\necho thing-meta; echo '  Depends: other'; echo '  Depends: thing:amd64'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return dir
}

func mood(t *testing.T, dir, mood string) {
	t.Helper()
	write(t, dir, map[string]string{"mood": mood})
}

func newAptCache(t *testing.T, dir string) (*aptCache, *strings.Builder) {
	var said strings.Builder
	return &aptCache{dir: dir, arch: "amd64", got: map[string]deb{}, say: func(format string, args ...any) {
		fmt.Fprintf(&said, format+"\n", args...)
	}}, &said
}

func TestAptFetch(t *testing.T) {
	fake, cache := fakeApt(t, "1.0"), t.TempDir()
	for range 3 {
		a, _ := newAptCache(t, cache)
		got, err := a.fetch(context.Background(), "thing-meta", "amd64", "thing")
		if err != nil || got.Package != "thing" || got.Version != "1.0" {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	count, err := os.ReadFile(filepath.Join(fake, "count"))
	if err != nil || len(count) != 2 {
		t.Errorf("downloads: %q, %v; want one", count, err)
	}
	// Without a network, and without package lists, what was kept does.
	for _, m := range []string{"network", "lists"} {
		mood(t, fake, m)
		a, _ := newAptCache(t, cache)
		if got, err := a.fetch(context.Background(), "thing-meta", "amd64", "thing"); err != nil || got.Version != "1.0" {
			t.Errorf("%s: %+v, %v", m, got, err)
		}
	}
}

func TestAptFetchNewerButOffline(t *testing.T) {
	cache := t.TempDir()
	fakeApt(t, "1.0")
	a, _ := newAptCache(t, cache)
	if _, err := a.fetch(context.Background(), "thing", "amd64", ""); err != nil {
		t.Fatal(err)
	}
	mood(t, fakeApt(t, "2.0"), "network")
	a, said := newAptCache(t, cache)
	got, err := a.fetch(context.Background(), "thing", "amd64", "")
	if err != nil || got.Version != "1.0" {
		t.Fatalf("%+v, %v", got, err)
	}
	if !strings.Contains(said.String(), "using thing=1.0 from the cache") || !strings.Contains(said.String(), "Could not resolve host") {
		t.Errorf("said %q", said)
	}
}

func TestAptFetchFails(t *testing.T) {
	for m, want := range map[string]string{"lists": "apt-get update", "network": "Could not resolve host", "damage": "sha256 is"} {
		fake, cache := fakeApt(t, "1.0"), t.TempDir()
		mood(t, fake, m)
		a, _ := newAptCache(t, cache)
		_, err := a.fetch(context.Background(), "thing", "amd64", "")
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "fetch package thing for amd64") {
			t.Errorf("%s: error %v, want %q", m, err, want)
		}
		left, err := os.ReadDir(cache)
		if err != nil || len(left) != 0 {
			t.Errorf("%s: left in the cache: %v, %v", m, left, err)
		}
	}
}

// A file in the cache that was cut short is fetched again.
func TestAptFetchDamagedCache(t *testing.T) {
	fake, cache := fakeApt(t, "1.0"), t.TempDir()
	write(t, cache, map[string]string{"thing_1.0_amd64.deb": "de"})
	a, _ := newAptCache(t, cache)
	if _, err := a.fetch(context.Background(), "thing", "amd64", ""); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(cache, "thing_1.0_amd64.deb"))
	if err != nil || string(data) != "deb 1.0" {
		t.Errorf("file holds %q, %v", data, err)
	}
	if !exists(filepath.Join(fake, "count")) {
		t.Error("nothing was downloaded")
	}
}

// While the package lists are older than the record, apt is not asked.
func TestAptFetchFresh(t *testing.T) {
	cache, lists := t.TempDir(), t.TempDir()
	fetch := func() string {
		a, _ := newAptCache(t, cache)
		a.lists = lists
		got, err := a.fetch(context.Background(), "thing", "amd64", "")
		if err != nil {
			t.Fatal(err)
		}
		return got.Version
	}
	past, future := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	if err := os.Chtimes(lists, past, past); err != nil {
		t.Fatal(err)
	}
	fakeApt(t, "1.0")
	first := fetch()
	fakeApt(t, "2.0")
	second := fetch()
	if err := os.Chtimes(lists, future, future); err != nil {
		t.Fatal(err)
	}
	if third := fetch(); first != "1.0" || second != "1.0" || third != "2.0" {
		t.Errorf("versions %s, %s, %s; want 1.0 until the lists are newer, then 2.0", first, second, third)
	}
}

// Packages of another architecture come through lists of our own, fetched once.
func TestAptFetchForeign(t *testing.T) {
	fake, cache := fakeApt(t, "1.0"), t.TempDir()
	for range 2 {
		a, _ := newAptCache(t, cache)
		if _, err := a.fetch(context.Background(), "thing", "arm64", ""); err != nil {
			t.Fatal(err)
		}
	}
	updates, err := os.ReadFile(filepath.Join(fake, "updates"))
	if err != nil || len(updates) != 2 {
		t.Errorf("updates: %q, %v; want one", updates, err)
	}
	// The machine's own apt is not told of the other architecture.
	a, _ := newAptCache(t, cache)
	if env := a.system().env; env != nil {
		t.Errorf("environment %q", env)
	}
}
