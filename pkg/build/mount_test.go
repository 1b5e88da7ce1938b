package build

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"slipway/pkg/build/oci"
	"slipway/pkg/build/spec"
)

// A bind of what only an optional file would bring is told of where that is not there:
// neither it nor the directory that it lies in is made then.
func TestOptionalSources(t *testing.T) {
	store := oci.OpenLayout(t.TempDir(), true)
	put(t, store, "test/app:1", v1.Config{Cmd: []string{"/usr/bin/app"}}, programLayer(t, "app"))
	dir := t.TempDir()
	there := filepath.Join(dir, "there")
	if err := os.WriteFile(there, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ files, bind, want string }{
		{"[{path: etc/mine/key, source: none, optional: true}]", "/etc/mine", "none, which files[0] would bring and which is not there, or runtime: mkdir: [/etc/mine]"},
		{"[{path: etc/mine/key, source: none, optional: true}]", "/etc/mine/key", "none, which files[0] would bring"},
		{"[{path: etc/mine/key, source: " + there + ", optional: true}]", "/etc/mine", ""},
		{"[{path: etc/mine/key, source: none, optional: true}, {path: etc/mine/other, contents: x}]", "/etc/mine", ""},
		{"[{path: etc/mine/key, source: none, optional: true}, {path: etc/mine/other, contents: x}]", "/etc/mine/key", "none, which files[0]"},
		{"[{path: etc/mine, directory: true}]", "/etc/mine", ""},
		{"[]", "/etc/mine", "an entry in files"},
	} {
		file := filepath.Join(dir, "m.yml")
		writeText(t, file, "init: [test/app:1]\nservices:\n  - {name: a, image: test/app:1, command: [/usr/bin/app], binds: [\""+c.bind+":/x\"]}\nfiles: "+c.files+"\n")
		b := &Builder{Finder: &oci.Finder{Store: store}, Platform: v1.Platform{OS: "linux", Architecture: "amd64"}, Hardening: spec.HardeningDefault}
		faults, err := b.CheckFiles(t.Context(), []string{file}, &bytes.Buffer{})
		if err != nil {
			t.Fatal(err)
		}
		told := ""
		for _, f := range faults {
			if strings.Contains(f.String(), "nothing makes "+c.bind+" ") {
				told = f.String()
			}
		}
		if told == "" != (c.want == "") || !strings.Contains(told, c.want) {
			t.Errorf("%s bound with files: %s: %q", c.bind, c.files, told)
		}
	}
}
