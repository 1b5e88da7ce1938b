package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"slipway/pkg/reap"
)

// programVar makes the test binary the service program, whatever it is asked.
const programVar = "SLIPWAY_TEST_SERVICE"

// TestMain lets the test binary be all programs of a machine: the service
// program with its commands, the OCI runtime, and a test's stage.
func TestMain(m *testing.M) {
	switch {
	case os.Getenv(stageVar) != "":
		os.Exit(stage(os.Getenv(stageVar)))
	case slices.Contains(os.Args, "--log-format"):
		os.Exit(fakeRuntime(os.Args[1:]))
	case os.Getenv(programVar) != "", len(os.Args) > 1 && find(os.Args[1]) != nil:
		os.Exit(Main(os.Args))
	}
	os.Exit(m.Run())
}

// fakeRuntime does what runc does for `run --detach` and leaves the same traces,
// but for namespaces and a cgroup. It takes its time, so that it can be killed,
// or lose its parent, at any point.
func fakeRuntime(args []string) int {
	value := func(flag string) string { return args[slices.Index(args, flag)+1] }
	if !slices.Contains(args, "run") {
		return 1
	}
	id := args[len(args)-1]
	dir := filepath.Join(value("--root"), id)
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return 1
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return 1 // runc refuses an id that it knows already
	}
	if err := fakeRun(dir, value("--bundle"), value("--pid-file")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func fakeRun(dir, bundle, pidFile string) error {
	data, err := os.ReadFile(filepath.Join(bundle, "config.json"))
	if err != nil {
		return err
	}
	var spec specs.Spec
	if err := json.Unmarshal(data, &spec); err != nil {
		return err
	}
	dawdle()
	cmd := exec.Command(spec.Process.Args[0], spec.Process.Args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	// The program waits for a byte, as runc's does for the start.
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd.Stdin = r
	if err := cmd.Start(); err != nil {
		return err
	}
	p, err := reap.Identify(cmd.Process.Pid)
	if err != nil {
		return err
	}
	state := fmt.Sprintf(`{"id": %q, "init_process_pid": %d, "init_process_start": %d}`, filepath.Base(dir), p.Pid, p.Start)
	if err := os.WriteFile(filepath.Join(dir, "exec.fifo"), nil, 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "state.json"), []byte(state), 0o600); err != nil {
		return err
	}
	dawdle()
	if err := os.WriteFile(pidFile, fmt.Append(nil, p.Pid), 0o600); err != nil {
		return err
	}
	dawdle()
	if err := os.Remove(filepath.Join(dir, "exec.fifo")); err != nil {
		return err
	}
	_, err = w.WriteString("go\n")
	return err
}

func dawdle() { time.Sleep(time.Duration(time.Now().UnixNano()%5) * time.Millisecond) }
