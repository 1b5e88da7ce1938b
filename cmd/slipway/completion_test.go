package main

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// TestCompletion: what a Tab offers.
func TestCompletion(t *testing.T) {
	t.Setenv("SLIPWAY_ROOT", "")
	storeOf(t)
	t.Chdir(t.TempDir())
	for _, dir := range []string{"boxes", "gone-state", "web-state"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"web-kernel", "web-initrd.img", "disc.iso", "boxes/db-kernel", "boxes/x[1]-kernel", "web-state/lock", "a.pub"} {
		writeFile(t, file, "")
	}
	for line, want := range map[string][]string{
		"run ":                     {"web", "disc.iso", "boxes/"},
		"run boxes/":               {"boxes/db", "boxes/x[1]"},
		"run boxes/x[":             {"boxes/x[1]"},
		"run w":                    {"web"},
		"run --accel ":             {"auto", "kvm", "tcg"},
		"run --networking ":        {"user", "none"},
		"stop ":                    {"web"},
		"console ":                 {"web"},
		"images build --platform ": {"linux/amd64", "linux/arm64"},
		"images build ":            {"init", "runc", "getty"},
	} {
		words := strings.Split(line, " ")
		out, errOut, status := command(t, "", append([]string{"__complete"}, words...)...)
		got := strings.Split(strings.TrimSpace(out), "\n")
		for _, w := range want {
			if !slices.Contains(got, w) || status != 0 {
				t.Errorf("%q: %q is not offered: %q, status %d\n%s", line, w, got, status, errOut)
			}
		}
		if slices.Contains(got, "gone") || slices.Contains(got, "testinit") || strings.HasSuffix(line, "w") && len(got) > 3 {
			t.Errorf("%q: %q", line, got)
		}
	}
}
