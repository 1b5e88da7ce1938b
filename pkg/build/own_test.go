package build

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"

	"slipway/pkg/build/oci"
	"slipway/pkg/build/spec"
	"slipway/pkg/build/yml"
)

var update = flag.Bool("update", false, "write the expected results of testdata/golden anew")

// TestGolden builds testdata/golden/*.yml with our own defaults, and
// testdata/exact/*.yml as LinuxKit's tool would. The expected text is a listing
// with every bundle's JSON and the warnings, or the faults. A case of several
// files is NAME.yml and NAME.more.yml.
func TestGolden(t *testing.T) {
	goldenCases(t, "testdata/golden", spec.HardeningDefault)
	goldenCases(t, "testdata/exact", spec.HardeningNone)
}

func goldenCases(t *testing.T, dir string, hardening spec.Hardening) {
	t.Helper()
	store := fixtures(t)
	cases, err := filepath.Glob(dir + "/*.yml")
	if err != nil || len(cases) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range cases {
		if strings.HasSuffix(file, ".more.yml") {
			continue
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yml"), func(t *testing.T) {
			got := outcome(t, store, hardening, file)
			expected := strings.TrimSuffix(file, ".yml") + ".txt"
			if *update {
				if err := os.WriteFile(expected, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(expected)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func outcome(t *testing.T, store *oci.Layout, hardening spec.Hardening, file string) string {
	t.Helper()
	files := []string{file}
	if more := strings.TrimSuffix(file, ".yml") + ".more.yml"; exists(more) {
		files = append(files, more)
	}
	data, warnings, err := buildWarned(t, store, hardening, files...)
	var faults yml.Faults
	switch {
	case errors.As(err, &faults):
		return faults.Error() + "\n"
	case err != nil:
		return "error: " + err.Error() + "\n"
	}
	out := list(t, data, hardening == spec.HardeningNone)
	if len(warnings) > 0 {
		out += "\n== warnings\n" + warnings.Error() + "\n"
	}
	return out
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// list prints what is in a tar; the containers' JSON and files of the case
// follow the listing.
func list(t *testing.T, data []byte, repeats bool) string {
	t.Helper()
	var out, contents strings.Builder
	seen := map[string]bool{}
	tr := tar.NewReader(bytes.NewReader(data))
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return out.String() + contents.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		if seen[h.Name] && !repeats {
			t.Errorf("%s is there twice", h.Name)
		}
		seen[h.Name] = true
		text, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "%c %04o %d:%d %s", h.Typeflag, h.Mode, h.Uid, h.Gid, h.Name)
		if h.Linkname != "" {
			fmt.Fprintf(&out, " -> %s", h.Linkname)
		}
		fmt.Fprintln(&out, records(h))
		if strings.HasSuffix(h.Name, ".json") || strings.HasSuffix(h.Name, ".yml") || h.Name == apkDatabase {
			fmt.Fprintf(&contents, "\n== %s\n%s\n", h.Name, filters.ReplaceAllFunc(indented(text), func(filter []byte) []byte {
				return fmt.Appendf(nil, `        "seccomp": (%d lines)`, bytes.Count(filter, []byte("\n"))+1)
			}))
		}
	}
}

// indented spreads the JSON of a file that has it on one line.
func indented(text []byte) []byte {
	var out bytes.Buffer
	if bytes.ContainsRune(text, '\n') || json.Indent(&out, text, "", "    ") != nil {
		return text
	}
	return out.Bytes()
}

// filters are the system calls of a bundle, which have tests of their own.
var filters = regexp.MustCompile(`(?s)        "seccomp": \{\n.*?\n        \}`)

func records(h *tar.Header) string {
	var all []string
	for k, v := range h.PAXRecords {
		if strings.HasPrefix(k, "LINUXKIT.") {
			all = append(all, v)
		}
	}
	sort.Strings(all)
	if len(all) == 0 {
		return ""
	}
	return " (" + strings.Join(all, ", ") + ")"
}

// TestBuildTwice wants the same bytes of the same input.
func TestBuildTwice(t *testing.T) {
	var first []byte
	for i := range 2 {
		data, err := buildTar(t, fixtures(t), spec.HardeningDefault, "testdata/golden/machine.yml")
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = data
		} else if !bytes.Equal(first, data) {
			t.Error("two builds of one input differ")
		}
	}
}
