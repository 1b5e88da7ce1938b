package build

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestFilesInTheWay puts files where something else is: what goes for them is told,
// and the containers never go.
func TestFilesInTheWay(t *testing.T) {
	store := fixtures(t)
	const kept = ""
	for _, c := range []struct{ files, want string }{
		{`{path: a, contents: x}, {path: /a, contents: y}`, kept},
		{`{path: a, directory: true}, {path: a, symlink: b}`, kept},
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
		_, warnings, err := buildWarned(t, store, HardeningDefault, file)
		got := warnings.Error()
		if err != nil {
			got = err.Error()
		}
		if c.want == kept && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.files, got, c.want)
		}
		if refused := !strings.Contains(c.want, "makes a") && !strings.Contains(c.want, "all that"); c.want != kept && refused != (err != nil) {
			t.Errorf("%s: got %v", c.files, err)
		}
	}
}
