package docs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"slipway/test/docs/shown"
	"slipway/test/skip"
)

const root = "../.."

// TestCommandsAreRunOrMarked counts: each block of commands is run by the test
// below, or marked as an illustration, with a reason. Tests that a reason names are there.
func TestCommandsAreRunOrMarked(t *testing.T) {
	out, err := exec.Command("git", "-C", root, "grep", "-h", "^func Test").Output()
	if err != nil {
		t.Fatal(err)
	}
	tests, count := "\n"+string(out), map[string]int{}
	for _, b := range shown.Blocks(t, root) {
		if b.Kind == "sh" {
			count[b.Mode] += len(b.Commands())
		}
		for _, name := range regexp.MustCompile(`\bTest[A-Z]\w+`).FindAllString(b.Why, -1) {
			if !strings.Contains(tests, "\nfunc "+name+"(t *testing.T) {") {
				t.Errorf("%s: there is no %s", b.Place(), name)
			}
		}
	}
	t.Logf("run on the host %d, in a machine %d; illustrations %d", count[""], count["guest"], count["illustration"])
	if count[""] < 20 || count["guest"] < 30 {
		t.Errorf("commands found by kind: %v; are they written in another way now?", count)
	}
}

// TestCommands runs the commands of the pages.
func TestCommands(t *testing.T) {
	skip.IfShort(t)
	skip.UnlessRoot(t, "a network of its own")
	program, inside := os.LookupEnv(programVar)
	if !inside {
		program = filepath.Join(t.TempDir(), "slipway")
		command(t, "go", "build", "-buildvcs=false", "-ldflags=-s -w", "-o", program, "slipway/cmd/slipway")
	}
	t.Run("OnTheHost", func(t *testing.T) { onTheHost(t, program, inside) })
	if !inside {
		t.Run("InAMachine", func(t *testing.T) { inAMachine(t, program) })
	}
}

// onTheHost runs the blocks of commands of each page in a directory with what the page says is
// there, and wants each line to succeed. It does so in a network of its own, where the loopback
// has the registry and the server that the pages name.
func onTheHost(t *testing.T, program string, isInside bool) {
	if !isInside {
		inside := exec.Command("/proc/self/exe", "-test.run=^TestCommands$", "-test.v")
		inside.Env = append(os.Environ(), programVar+"="+program)
		inside.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS, Pdeathsig: unix.SIGKILL}
		out, err := inside.CombinedOutput()
		t.Logf("%s", out)
		if err != nil || !strings.Contains(string(out), "--- PASS: TestCommands/OnTheHost/README.md") {
			t.Fatal("inside: ", err)
		}
		return
	}
	h := newHost(t, program)
	directories := map[string]string{}
	for _, b := range shown.Blocks(t, root) {
		if directories[b.Page] == "" {
			directories[b.Page] = h.directory(t)
		}
		switch dir := directories[b.Page]; {
		case b.IsFile():
			write(t, filepath.Join(dir, b.Mode), strings.Join(b.Lines, "\n")+"\n")
		case b.Kind == "sh" && b.Mode == "":
			t.Run(b.Place(), func(t *testing.T) { h.run(t, dir, b) })
		}
	}
}

// programVar names the program in the environment of the test that runs in its own network.
const programVar = "DOCS_SLIPWAY"

// run types a block.
func (h *host) run(t *testing.T, dir string, b shown.Block) {
	script := strings.ReplaceAll(strings.Join(b.Lines, "\n"), "--timeout 10m", "--timeout 40m") // of a busy machine
	out, err := h.sh(dir, script).CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}

// inAMachine types the commands of the pages in one machine, as getty's shell has them, and
// wants each to succeed and to say something.
func inAMachine(t *testing.T, program string) {
	var typed, places []string
	for _, b := range shown.Blocks(t, root) {
		if b.Kind != "sh" || b.Mode != "guest" {
			continue
		}
		for _, c := range b.Commands() {
			if c != "poweroff" && !slices.Contains(typed, c) { // which ends the machine, behind all others
				typed, places = append(typed, c), append(places, b.Place())
			}
		}
	}
	h := &host{slipway: program, dir: t.TempDir()}
	lines := fmt.Sprintf("files:\n  - path: etc/typed/lines\n    contents: %q\n", strings.Join(typed, "\n")+"\n")
	write(t, filepath.Join(h.dir, "lines.yml"), lines)
	guest, err := filepath.Abs("testdata/guest.yml")
	if err != nil {
		t.Fatal(err)
	}
	out, err := h.sh(h.dir, "slipway build -q --offline --decompress-kernel "+guest+" lines.yml\nslipway run --timeout 40m --output out lines </dev/null\n").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for i, c := range typed {
		said, errSaid := os.ReadFile(filepath.Join(h.dir, fmt.Sprintf("out/%d.out", i+1)))
		status, errStatus := os.ReadFile(filepath.Join(h.dir, fmt.Sprintf("out/%d.status", i+1)))
		if errSaid != nil || errStatus != nil || string(status) != "0\n" {
			t.Errorf("%s: %s: status %q, said %q; %v, %v", places[i], c, status, said, errSaid, errStatus)
		}
		silent := strings.HasPrefix(c, "service exec") // a shell with no input
		if len(said) == 0 && !silent {
			t.Errorf("%s: %s: says nothing", places[i], c)
		}
	}
	if t.Failed() {
		t.Logf("%s", out)
	}
}
