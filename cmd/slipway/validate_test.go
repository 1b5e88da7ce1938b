package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"slipway/pkg/build/yml"
)

// command runs slipway as users do.
func command(t *testing.T, stdin string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, errOut strings.Builder
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), commandVar+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errOut
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errOut.String(), cmd.ProcessState.ExitCode()
}

const twoFaults = "init: [test/empty:1]\nonbot: []\nservices:\n  - {name: a, image: \"test/empty:1\"}\n"

// TestValidateForPeople shows the place, the line, a caret and what was meant.
func TestValidateForPeople(t *testing.T) {
	inStore(t)
	writeFile(t, "m.yml", twoFaults)
	want := `m.yml:2:1: unknown key "onbot"; did you mean "onboot"?
    onbot: []
    ^
m.yml:4:22: warning: services[0].image: no command: the image has none and the YAML gives none
      - {name: a, image: "test/empty:1"}
                         ^
`
	for _, c := range []struct {
		args   []string
		want   string
		status int
	}{
		{[]string{"m.yml"}, want, 1},
		{[]string{"--errors-only", "m.yml"}, want[:strings.Index(want, "m.yml:4")], 1},
		{[]string{"--no-images", "m.yml"}, want[:strings.Index(want, "m.yml:4")], 1},
		{[]string{"--no-images", "-"}, strings.ReplaceAll(want[:strings.Index(want, "m.yml:4")], "m.yml", "<stdin>"), 1},
	} {
		got, _, status := command(t, twoFaults, append([]string{"validate", "--offline"}, c.args...)...)
		if got != c.want || status != c.status {
			t.Errorf("%v: status %d, got\n%s\nwant\n%s", c.args, status, got, c.want)
		}
	}
	if out, errOut, status := command(t, "init: [test/empty:1]\n", "validate", "--offline", "-"); out != "" || status != 0 {
		t.Errorf("no fault: status %d, %q, %q", status, out, errOut)
	}
	if _, errOut, status := command(t, "", "validate"); status != 2 || errOut == "" {
		t.Errorf("no file: status %d, %q", status, errOut)
	}
}

// TestValidateForPrograms gives every fault with all that is known of it.
func TestValidateForPrograms(t *testing.T) {
	inStore(t)
	out, _, status := command(t, twoFaults, "validate", "--offline", "--json", "-")
	var faults []yml.Fault
	if err := json.Unmarshal([]byte(out), &faults); err != nil || status != 1 || len(faults) != 2 {
		t.Fatalf("status %d, %v in %s", status, err, out)
	}
	first := yml.Fault{File: "<stdin>", Line: 2, Column: 1, Message: `unknown key "onbot"`, Nearest: "onboot", Text: "onbot: []", Severity: yml.Error}
	if faults[0] != first {
		t.Errorf("got %+v", faults[0])
	}
	if f := faults[1]; f.Line != 4 || f.Path != "services[0].image" || f.Severity != yml.Warning {
		t.Errorf("got %+v", f)
	}
	if out, _, status := command(t, "init: [test/empty:1]\n", "validate", "--offline", "--json", "-"); strings.TrimSpace(out) != "[]" || status != 0 {
		t.Errorf("no fault: status %d, %q", status, out)
	}
	schema, err := os.ReadFile(repository + "/docs/linuxkit.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if out, _, status := command(t, "", "validate", "--schema"); out != string(schema) || status != 0 {
		t.Errorf("--schema: status %d, another schema than that in docs", status)
	}
}

// TestVersion tells what the program was built from.
func TestVersion(t *testing.T) {
	out, errOut, status := command(t, "", "--version")
	if status != 0 || !regexp.MustCompile(`^slipway \S+, commit [^\n]+\n$`).MatchString(out) {
		t.Errorf("status %d: %q %q", status, out, errOut)
	}
}

// repository is found before a test changes the directory.
var repository = func() string {
	dir, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	return dir + "/../.."
}()

// TestRefusedBuildTellsAll has every fault on a line of its own, then the sum.
func TestRefusedBuildTellsAll(t *testing.T) {
	inStore(t)
	_, errOut, status := command(t, twoFaults, "build", "--offline", "-q", "-")
	if status != 1 || !strings.HasPrefix(errOut, "<stdin>:2:1: unknown key") || !strings.HasSuffix(errOut, "slipway: 1 error and 1 warning, nothing was built\n") {
		t.Errorf("status %d: %s", status, errOut)
	}
}

// TestTextsThatNeverEnd refuses a FIFO at once, and takes what a shell holds out for
// <(command).
func TestTextsThatNeverEnd(t *testing.T) {
	inStore(t)
	const text = "init: [test/empty:1]\n"
	writeFile(t, "m.yml", text)
	for _, name := range []string{"fifo.yml", "m.lock"} {
		if err := unix.Mkfifo(name, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := w.WriteString(text); err != nil {
		t.Fatal(err)
	}
	w.Close()
	for name, want := range map[string]string{
		"fifo.yml": "fifo.yml: is a FIFO; want a file", "/dev/zero": "/dev/zero: is a device; want a file", "m.yml": "m.lock: is a FIFO",
		fmt.Sprintf("/dev/fd/%d", r.Fd()): "",
	} {
		cmd := newBuildCommand()
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		cmd.SetArgs([]string{"--offline", "-q", "--no-sbom", "-o", "out.tar", "--format", "tar", name})
		if err := cmd.Execute(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", name, err, want)
		}
	}
}
