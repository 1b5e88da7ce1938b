// Package docs holds what is written in docs against what it speaks of.
package docs

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestLibraries: the table of libraries names each module that go.mod requires
// directly, and no other, and says truly which of them are in the guest.
func TestLibraries(t *testing.T) {
	text, err := os.ReadFile("../../docs/decisions.md")
	if err != nil {
		t.Fatal(err)
	}
	table := map[string]string{}
	for _, row := range regexp.MustCompile(`(?m)^\| (\S+\.\S+/\S+) \| ([^|]+) \|`).FindAllStringSubmatch(string(text), -1) {
		table[row[1]] = row[2]
	}
	out, err := exec.Command("go", "mod", "edit", "-json", "../../go.mod").Output()
	if err != nil {
		t.Fatal(err)
	}
	var mod struct {
		Require []struct {
			Path     string
			Indirect bool
		}
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	guest := modulesOf(t, "slipway/cmd/init", "slipway/cmd/service")
	host := modulesOf(t, "slipway/cmd/slipway")
	for _, r := range mod.Require {
		if r.Indirect {
			continue
		}
		var want []string
		if slices.Contains(host, r.Path) {
			want = append(want, "host")
		}
		if slices.Contains(guest, r.Path) {
			want = append(want, "guest")
		}
		if want == nil {
			want = []string{"tests"}
		}
		if got, is := table[r.Path]; !is || got != strings.Join(want, ", ") {
			t.Errorf("%s is in: %s; the table says %q", r.Path, strings.Join(want, ", "), got)
		}
		delete(table, r.Path)
	}
	for path := range table {
		t.Errorf("%s is in the table and not in go.mod", path)
	}
}

// modulesOf lists the modules that are linked into programs.
func modulesOf(t *testing.T, programs ...string) []string {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}"}, programs...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(out))
}
