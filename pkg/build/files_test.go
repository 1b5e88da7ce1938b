package build

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"slipway/pkg/build/spec"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sys/unix"
)

// TestFilesInTheWay puts files where something else is: what goes for them is told,
// and the containers never go.
func TestFilesInTheWay(t *testing.T) {
	store := fixtures(t)
	const kept = ""
	for _, c := range []struct{ files, want string }{
		{`{path: a, contents: x}, {path: /a, contents: y}`, `4:59: warning: files[1].path: the same path as files[0], whose file goes; want one of them`},
		{`{path: a, directory: true}, {path: a, symlink: b}`, `files[1].path: the same path as files[0], whose directory goes`},
		{`{path: a, directory: true}, {path: a/, directory: true}`, kept},
		{`{path: bin/init, contents: x}`, kept},
		{`{path: bin, directory: true}, {path: bin/x, contents: x}`, kept},
		{`{path: l, symlink: bin}, {path: l/x, contents: x}`, kept},
		{`{path: bin, symlink: usr/bin}`, `4:35: warning: files[0].path: takes the place of a directory, and all that is in it goes (1), such as "init" of image test/init:1`},
		{`{path: d/a, contents: x}, {path: d/b, contents: x}, {path: d, contents: x}`, `files[2].path: takes the place of a directory, and all that is in it goes (2), such as "a" of files[0]`},
		{`{path: a, contents: x}, {path: a/b, contents: y}`, `warning: files[1].path: makes a directory of "a", a file that files[0] has put there`},
		{`{path: bin/init, directory: true}`, `makes a directory of "bin/init", a file that image test/init:1, layer 1`},
		{`{path: containers, symlink: var/containers}`, `4:35: files[0].path: takes the place of a directory that containers lie in`},
		{`{path: containers/onboot/000-c/, contents: x}`, `files[0].path: takes the place of a directory that containers lie in`},
		{`{path: l, symlink: containers}, {path: l/onboot, contents: x}`, `files[1].path: takes the place of a directory that containers lie in`},
		{`{path: a, symlink: b}, {path: b, symlink: a}, {path: a/x, contents: x}`, `files[2].path: path "a/x": link "a": too many links`},
	} {
		file := filepath.Join(t.TempDir(), "m.yml")
		writeText(t, file, "init: [test/init:1]\nonboot: [{name: c, image: \"test/app:1\"}]\n\nfiles: [                   "+c.files+"]\n")
		_, warnings, err := buildWarned(t, store, spec.HardeningDefault, file)
		got := warnings.Error()
		if err != nil {
			got = err.Error()
		}
		if checked := checkFile(t, only{store}, file); checked.Error() != got {
			t.Errorf("%s: validate says %v; build %q", c.files, checked, got)
		}
		alone := checkFile(t, nil, file)
		if ofText := !strings.Contains(c.want, "image") && !strings.Contains(c.want, "containers"); ofText && alone.Error() != got {
			t.Errorf("%s: without images %v; build %q", c.files, alone, got)
		}
		if c.want == kept && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.files, got, c.want)
		}
		if refused := !strings.Contains(c.want, "makes a") && !strings.Contains(c.want, "all that") && !strings.Contains(c.want, "the same path"); c.want != kept && refused != (err != nil) {
			t.Errorf("%s: got %v", c.files, err)
		}
	}
}

// TestFilesOfSeveralTexts lets a later text replace a file without a word.
func TestFilesOfSeveralTexts(t *testing.T) {
	dir := t.TempDir()
	files := []string{filepath.Join(dir, "a.yml"), filepath.Join(dir, "b.yml")}
	writeText(t, files[0], "init: [test/init:1]\nfiles: [{path: a, contents: x}]\n")
	writeText(t, files[1], "files: [{path: /a, contents: y}]\n")
	b := &Builder{Finder: only{fixtures(t)}, Platform: v1.Platform{OS: "linux", Architecture: "amd64"}}
	if faults, err := b.CheckFiles(t.Context(), files, nil); err != nil || len(faults) > 0 {
		t.Error(faults, err)
	}
}

// TestFilesThatAreNone refuses what would hold up a build, and hosts' names that the
// machine would not take.
func TestFilesThatAreNone(t *testing.T) {
	store := fixtures(t)
	dir := t.TempDir()
	fifo, long := filepath.Join(dir, "fifo"), filepath.Join(dir, "long")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	writeText(t, long, strings.Repeat("h", 65)+"\n")
	for _, c := range []struct{ file, want string }{
		{`path: a, source: ` + fifo, `files[0].source: ` + fifo + `: is a FIFO; want a file`},
		{`path: a, optional: true, source: ` + fifo, `is a FIFO; want a file`},
		{`path: a, source: /dev/zero`, `files[0].source: /dev/zero: is a device; want a file`},
		{`path: a, source: ` + dir, `is a directory; want a file`},
		{`path: etc/hostname, source: ` + long, `warning: files[0].path: a host name of 65 bytes`},
		{`path: /etc/hostname, contents: ` + strings.Repeat("h", 70), `a host name of 70 bytes; want 64 at most`},
	} {
		file := filepath.Join(dir, "m.yml")
		writeText(t, file, "init: [test/init:1]\nfiles: [{"+c.file+"}]\n")
		for _, finder := range []Finder{nil, only{store}} {
			if faults := checkFile(t, finder, file); len(faults) != 1 || !said(faults, c.want) {
				t.Errorf("%s: %v", c.file, faults)
			}
		}
		_, warnings, err := buildWarned(t, store, spec.HardeningDefault, file)
		if err != nil {
			errors.As(err, &warnings)
		}
		if !said(warnings, c.want) {
			t.Errorf("%s: build says %v, %v", c.file, warnings, err)
		}
	}
}
