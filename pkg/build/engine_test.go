package build

import (
	"archive/tar"
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"slipway/pkg/build/oci"
	"slipway/pkg/build/spec"
)

// programLayer holds programs of some names in /usr/bin.
func programLayer(t *testing.T, names ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	var err error
	for _, name := range names {
		err = errors.Join(err, w.WriteHeader(&tar.Header{Name: "usr/bin/" + name, Typeflag: tar.TypeReg, Mode: 0o755}))
	}
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A runtime that somebody asks for has to be there; crun alone has runc's name too.
func TestRuntimes(t *testing.T) {
	store := oci.OpenLayout(t.TempDir(), true)
	for name, programs := range map[string][]string{"runc": {"runc"}, "crun": {"crun"}, "both": {"runc", "crun"}, "none": {"sh"}} {
		put(t, store, "test/"+name+":1", v1.Config{Labels: map[string]string{oci.SourcesLabel: "libc6=1, crun=1.8.1-1"}}, programLayer(t, programs...))
	}
	put(t, store, "test/app:1", v1.Config{Cmd: []string{"/usr/bin/app"}}, programLayer(t, "app"))
	for name, c := range map[string]struct {
		init, cmdline, runtime string
		want                   []string // in the faults, one after the other; none: no error
	}{
		"the default":           {init: "runc"},
		"crun alone":            {init: "crun", want: []string{"warning: init[0]: /usr/bin/crun is crun 1.8.1-1"}},
		"crun asked for":        {init: "both", runtime: "crun"},
		"crun is not there":     {init: "runc", runtime: "crun", want: []string{"services[0].annotations.slipway.runtime: slipway.runtime crun: no image in init has /usr/bin/crun; want slipway/crun:v0.1 in init"}},
		"runc is not there":     {init: "crun", runtime: "runc", want: []string{"no image in init has /usr/bin/runc; want slipway/runc:v0.1"}},
		"a path":                {init: "none", runtime: "/usr/bin/sh"},
		"a path of nothing":     {init: "both", runtime: "/opt/crun", want: []string{"no image in init has /opt/crun; want an image in init, or an entry in files"}},
		"no runtime":            {init: "both", runtime: "podman", want: []string{`slipway.runtime "podman": want runc, crun, or`}},
		"of the command line":   {init: "both", cmdline: "slipway.runtime=crun"},
		"not there, of it":      {init: "runc", cmdline: "a=b slipway.runtime=crun", want: []string{"kernel.cmdline: slipway.runtime=crun: no image in init has /usr/bin/crun"}},
		"no runtime, of it":     {init: "runc", cmdline: "slipway.runtime=crnu", want: []string{"kernel.cmdline: slipway.runtime=crnu: want runc, crun, or", `did you mean "crun"`}},
		"a bind of runc's name": {init: "crun", runtime: "crun"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "m.yml")
			text := "kernel: {cmdline: \"" + c.cmdline + "\"}\ninit: [test/" + c.init + ":1]\nservices:\n  - name: a\n    image: test/app:1\n    binds: [\"/usr/bin/runc:/usr/bin/runc\"]\n"
			if c.runtime != "" {
				text += "    annotations: {slipway.runtime: \"" + c.runtime + "\"}\n"
			}
			writeText(t, file, text)
			b := &Builder{Finder: &oci.Finder{Store: store}, Platform: v1.Platform{OS: "linux", Architecture: "amd64"}, Hardening: spec.HardeningDefault}
			faults, err := b.CheckFiles(t.Context(), []string{file}, &bytes.Buffer{})
			if err != nil {
				t.Fatal(err)
			}
			said := ""
			if len(faults) > 0 {
				said = faults.Error()
			}
			for _, want := range c.want {
				if !strings.Contains(said, want) {
					t.Errorf("no %q in %s", want, said)
				}
			}
			if len(c.want) == 0 && strings.Contains(said, "no image in init") {
				t.Error(said)
			}
			if c.init == "crun" && strings.Contains(said, "nothing makes /usr/bin/runc") {
				t.Errorf("the link is not known: %s", said)
			}
			m, err := b.BuildFiles(t.Context(), []string{file}, &bytes.Buffer{})
			if err != nil {
				return
			}
			n := m.Root.Lookup("usr/bin/runc")
			if linked := n != nil && n.Link == "crun"; linked != (c.init == "crun") {
				t.Errorf("runc: %+v", n)
			}
			if err := m.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
