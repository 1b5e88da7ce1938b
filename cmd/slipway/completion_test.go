package main

import (
	"os"
	"os/exec"
	"path/filepath"
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

// TestCompletionInBash presses Tab in a bash that has not loaded bash-completion.
func TestCompletionInBash(t *testing.T) {
	script, _, _ := command(t, "", "completion", "bash")
	t.Chdir(t.TempDir())
	writeFile(t, "script", script)
	writeFile(t, "my machine.svg", "")
	if err := os.Symlink(os.Args[0], "slipway"); err != nil {
		t.Fatal(err)
	}
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"slipway run --accel ": "auto|kvm|tcg|", "slipway va": "validate|", "slipway run --accel k": "kvm|",
		"slipway run --boot-chart my": "my machine.svg|",
	} {
		cmd := exec.Command("bash", "--norc", "--noprofile", "-c", `enable -n compopt; . ./script; COMP_LINE=$1; read -ra COMP_WORDS <<<"$1"; [[ $1 != *" " ]] || COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]}-1)) COMP_POINT=${#COMP_LINE} COMP_TYPE=9; __start_slipway; printf '%s|' "${COMPREPLY[@]}"`, "bash", line)
		cmd.Env = append(os.Environ(), commandVar+"=1", "PATH="+here+":"+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		got := string(out)
		if err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", line, got, err, want)
		}
	}
}
