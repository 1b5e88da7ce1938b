package build

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"sort"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"go.yaml.in/yaml/v3"

	"slipway/pkg/build/oci"
	"slipway/pkg/build/output"
	"slipway/pkg/build/spec"
	"slipway/pkg/build/yml"
)

// linuxkitDir holds the listings of LinuxKit's own builder.
const linuxkitDir = "testdata/linuxkit"

// goldenEntry is a line of the tar listing.
type goldenEntry struct {
	Path, Type, Mode, Link string
	UID, GID               int
	Size                   *int64
}

type golden struct {
	Error   bool
	Entries []goldenEntry
	Files   map[string]any
}

// TestLinuxKitLayouts builds what LinuxKit's tool was given, and compares.
func TestLinuxKitLayouts(t *testing.T) {
	linuxkitCases(t, spec.HardeningNone, func(t *testing.T, file string, want golden, archive []byte, err error) {
		if want.Error {
			checkRefused(t, file, err)
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		compare(t, want, archive)
	})
}

// linuxkitCases builds what LinuxKit's tool was given, and has what came of it checked
// against what that tool made.
func linuxkitCases(t *testing.T, hardening spec.Hardening, check func(t *testing.T, file string, want golden, archive []byte, err error)) {
	t.Helper()
	dir, err := filepath.Abs(linuxkitDir)
	if err != nil {
		t.Fatal(err)
	}
	cases, err := filepath.Glob(filepath.Join(dir, "cases", "*.yml"))
	if err != nil || len(cases) == 0 {
		t.Fatalf("no cases in %s: %v", dir, err)
	}
	source, err := oci.OpenSource(filepath.Join(dir, "images.tar"))
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Join(dir, "cases"))
	for _, file := range cases {
		name := strings.TrimSuffix(filepath.Base(file), ".yml")
		t.Run(name, func(t *testing.T) {
			archive, err := buildTar(t, source, hardening, file)
			check(t, file, readGolden(t, filepath.Join(dir, "expected", name+".json")), archive, err)
		})
	}
}

func readGolden(t *testing.T, file string) golden {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// checkRefused wants a refusal that says where.
func checkRefused(t *testing.T, file string, err error) {
	t.Helper()
	var faults yml.Faults
	if !errors.As(err, &faults) || len(faults) == 0 {
		t.Fatalf("got %v, want faults", err)
	}
	for _, f := range faults {
		if f.File != file || f.Line < 1 || f.Column < 1 || f.Message == "" || f.Text == "" {
			t.Errorf("fault without its place: %+v", f)
		}
	}
}

// buildTar builds files the way slipway build --format tar does.
func buildTar(t *testing.T, source oci.Source, hardening spec.Hardening, files ...string) ([]byte, error) {
	t.Helper()
	data, _, err := buildWarned(t, source, hardening, files...)
	return data, err
}

// buildWarned gives the warnings too.
func buildWarned(t *testing.T, source oci.Source, hardening spec.Hardening, files ...string) ([]byte, yml.Faults, error) {
	t.Helper()
	b := &Builder{Finder: only{source}, Platform: v1.Platform{OS: "linux", Architecture: "amd64"}, Hardening: hardening}
	machine, err := b.BuildFiles(context.Background(), files, strings.NewReader(""))
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err := machine.Close(); err != nil {
			t.Error(err)
		}
	}()
	var archive bytes.Buffer
	err = output.WriteTar(context.Background(), &archive, machine.Root.Nodes(), output.TarOptions{Repeats: hardening == spec.HardeningNone, Origins: true})
	return archive.Bytes(), machine.Warnings, err
}

// only is a Finder with one source.
type only struct{ oci.Source }

func (o only) Get(_ context.Context, name string, p v1.Platform) (*oci.Image, error) {
	return o.Source.Get(name, p)
}

func compare(t *testing.T, want golden, archive []byte) {
	t.Helper()
	var got []goldenEntry
	contents := map[string][]byte{}
	tr := tar.NewReader(bytes.NewReader(archive))
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		path := strings.TrimSuffix(h.Name, "/")
		size := h.Size
		got = append(got, goldenEntry{path, kindOf(h.Typeflag), fmt.Sprintf("0o%o", h.Mode), h.Linkname, h.Uid, h.Gid, &size})
		data, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		contents[path] = data
	}
	compareEntries(t, want.Entries, got)
	for path, v := range want.Files {
		compareFile(t, path, v, contents[path])
	}
}

func kindOf(flag byte) string {
	return map[byte]string{tar.TypeReg: "file", tar.TypeDir: "dir", tar.TypeSymlink: "symlink", tar.TypeLink: "hardlink"}[flag]
}

func (e goldenEntry) String() string {
	return fmt.Sprintf("%s %s %s %d:%d %s", e.Path, e.Type, e.Mode, e.UID, e.GID, e.Link)
}

func compareEntries(t *testing.T, want, got []goldenEntry) {
	t.Helper()
	sizes := map[string]int64{}
	set := func(list []goldenEntry) map[string]bool {
		m := map[string]bool{}
		for _, e := range list {
			m[e.String()] = true
		}
		return m
	}
	for _, e := range got {
		sizes[e.Path] = *e.Size
	}
	w, g := set(want), set(got)
	for _, line := range difference(w, g) {
		t.Errorf("missing: %s", line)
	}
	for _, line := range difference(g, w) {
		t.Errorf("too much: %s", line)
	}
	for _, e := range want {
		if e.Size != nil && e.Type == "file" && *e.Size != sizes[e.Path] {
			t.Errorf("%s: %d bytes, want %d", e.Path, sizes[e.Path], *e.Size)
		}
	}
}

func difference(a, b map[string]bool) []string {
	var out []string
	for x := range a {
		if !b[x] {
			out = append(out, x)
		}
	}
	sort.Strings(out)
	return out
}

func compareFile(t *testing.T, path string, want any, data []byte) {
	t.Helper()
	if text, ok := want.(string); ok {
		if text != string(data) && path != "etc/linuxkit.yml" {
			t.Errorf("%s: %q, want %q", path, data, text)
		}
		return
	}
	var got any
	if err := yaml.Unmarshal(data, &got); err != nil {
		t.Errorf("%s: %v", path, err)
		return
	}
	g, w := normal("", got), normal("", want)
	if !reflect.DeepEqual(g, w) {
		gj, _ := json.MarshalIndent(g, "", " ")
		wj, _ := json.MarshalIndent(w, "", " ")
		t.Errorf("%s:\n%s\nwant\n%s", path, gj, wj)
	}
}

// normal drops what the comparison leaves out: ociVersion, and all that is
// empty. Capabilities are sets.
func normal(key string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, x := range v {
			if n := normal(k, x); n != nil && k != "ociVersion" {
				out[k] = n
			}
		}
		if len(out) == 0 {
			return nil
		}
		return out
	case []any:
		var out []any
		for _, x := range v {
			out = append(out, normal("", x))
		}
		switch key {
		case "bounding", "effective", "inheritable", "permitted", "ambient":
			sort.Slice(out, func(i, j int) bool { return fmt.Sprint(out[i]) < fmt.Sprint(out[j]) })
		}
		if len(out) == 0 {
			return nil
		}
		return out
	case string:
		if v == "" {
			return nil
		}
	case bool:
		if !v {
			return nil
		}
	case int:
		return float64(v)
	}
	return v
}
