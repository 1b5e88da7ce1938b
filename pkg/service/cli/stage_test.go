package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"slipway/pkg/container/logs/hold"
	"slipway/pkg/keeper"
)

// stageVar names the folder of a stage: a process that is PID 1 of a pid
// namespace with mounts of its own, and keeps a supervisor there.
const stageVar = "SLIPWAY_TEST_STAGE"

const killsVar = "SLIPWAY_TEST_KILLS"

// play runs a stage and waits for its end.
func play(t *testing.T, dir string, kills int) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root, for namespaces and mounts")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), stageVar+"="+dir, fmt.Sprintf("%s=%d", killsVar, kills))
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID, Pdeathsig: unix.SIGKILL,
	}
	out, err := cmd.CombinedOutput()
	if err := os.WriteFile(filepath.Join(dir, "console"), out, 0o600); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatalf("stage: %v\n%s", err, lastPart(out))
	}
}

func lastPart(out []byte) []byte { return out[max(0, len(out)-8000):] }

// addService writes the bundle of a service that runs a shell script. The
// script begins when the runtime lets it.
func addService(t *testing.T, dir, name, script string, annotations map[string]string) {
	t.Helper()
	b := filepath.Join(dir, "containers", "services", name)
	if err := os.MkdirAll(filepath.Join(b, "rootfs"), 0o755); err != nil {
		t.Fatal(err)
	}
	spec := specs.Spec{Version: "1.0.2", Annotations: annotations, Root: &specs.Root{Path: "rootfs", Readonly: true},
		Process: &specs.Process{Cwd: "/", Args: []string{"/bin/sh", "-c", "read go; cd " + dir + "; " + script}}}
	data, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(b, "config.json"), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// stage keeps a supervisor and kills it, again and again.
func stage(dir string) int {
	if err := stageMounts(); err != nil {
		fmt.Println(err)
		return 1
	}
	store, err := hold.NewStore()
	if err != nil {
		fmt.Println(err)
		return 1
	}
	go func() { fmt.Println("hold:", store.Serve()) }()
	ready, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	k := &keeper.Keeper{Dir: dir + "/run/slipway", MaxPause: time.Millisecond,
		Log: slog.New(slog.DiscardHandler),
		Command: func() *exec.Cmd {
			cmd := exec.Command("/proc/self/exe", "supervise", "-containers", dir+"/containers", "-run", dir+"/run",
				"-log", dir+"/log", "-var", dir+"/var", "-runc", "/proc/self/exe", "-runc-root", dir+"/runc")
			cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
			cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
			cmd.ExtraFiles = []*os.File{ready, store.Child}
			return cmd
		}}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- k.Run(ctx) }()
	var kills int
	if _, err := fmt.Sscan(os.Getenv(killsVar), &kills); err != nil {
		fmt.Println(err)
		return 1
	}
	killed := killMany(kills)
	time.Sleep(time.Second)
	cancel()
	err = <-done
	fmt.Printf("killed %d times, keeper: %v\n", killed, err)
	if err != nil || killed < kills {
		return 1
	}
	return 0
}

// stageMounts gives the stage a /proc of its own, and the unified hierarchy,
// which host and containers of this test leave alone.
func stageMounts() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount proc: %w", err)
	}
	if err := unix.Mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, ""); err != nil {
		return fmt.Errorf("mount cgroup2: %w", err)
	}
	return nil
}

// killMany kills the supervisor n times, each time after it has lived for a
// while: sometimes it has hardly begun, sometimes all is well.
func killMany(n int) int {
	killed := 0
	for deadline := time.Now().Add(10 * time.Minute); killed < n && time.Now().Before(deadline); {
		time.Sleep(time.Duration(rand.IntN(90)) * time.Millisecond)
		if pid := supervisorPid(); pid != 0 && unix.Kill(pid, unix.SIGKILL) == nil {
			killed++
		}
	}
	return killed
}

func supervisorPid() int {
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return 0
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if args := strings.Split(string(data), "\x00"); err == nil && len(args) > 2 && args[1] == "supervise" {
			var pid int
			if _, err := fmt.Sscanf(f, "/proc/%d/cmdline", &pid); err == nil {
				return pid
			}
		}
	}
	return 0
}
