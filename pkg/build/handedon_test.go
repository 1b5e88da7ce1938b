package build

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"slipway/pkg/build/spec"
	"slipway/pkg/bundle"
)

// Every config.json that is built comes through the guest's hands, which reads it
// and writes it anew, as it is, its filter of system calls too.
func TestGuestHandsOnWhatIsBuilt(t *testing.T) {
	store := fixtures(t)
	cases, err := filepath.Glob("testdata/golden/*.yml")
	if err != nil {
		t.Fatal(err)
	}
	filters := 0
	for _, file := range cases {
		data, err := buildTar(t, store, spec.HardeningDefault, file)
		if err != nil {
			continue // which TestGolden looks at
		}
		for tr := tar.NewReader(bytes.NewReader(data)); ; {
			h, err := tr.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(h.Name, "containers/") && path.Base(h.Name) == bundle.ConfigFile {
				text, err := io.ReadAll(tr)
				if err != nil {
					t.Fatal(err)
				}
				filters += handedOn(t, file+" "+h.Name, text)
			}
		}
	}
	if filters < 10 {
		t.Errorf("only %d have a filter", filters)
	}
}

// handedOn compares what the guest writes and returns how many filters that has.
func handedOn(t *testing.T, name string, text []byte) (filters int) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "b")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(filepath.Join(dir, bundle.ConfigFile), text, 0o600)); err != nil {
		t.Fatal(err)
	}
	b, err := bundle.Load(bundle.Services, dir)
	if err != nil {
		t.Logf("%s: %v", name, err) // it is refused, and has to be
		return 0
	}
	written, err := bundle.Encode(b.Spec, b.Filter)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var want, got specs.Spec
	if err := errors.Join(json.Unmarshal(text, &want), json.Unmarshal(written, &got)); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if want.Mounts == nil {
		want.Mounts = []specs.Mount{}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s became\n%s\nand was\n%s", name, written, text)
	}
	if want.Linux != nil && want.Linux.Seccomp != nil {
		filters++
	}
	return filters
}
