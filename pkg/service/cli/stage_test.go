package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"slipway/pkg/keeper"
	"slipway/pkg/log/fdstore"
	"slipway/pkg/reap"
	"slipway/pkg/service/control"
	"slipway/pkg/service/state"
	"slipway/test/skip"
)

// stageVar names the directory of a stage: a process that is PID 1 of a pid
// namespace with mounts of its own, and keeps a supervisor there.
const stageVar = "SLIPWAY_TEST_STAGE"

const killsVar = "SLIPWAY_TEST_KILLS"

// play runs a stage and waits for its end.
func play(t *testing.T, dir string, kills int) {
	t.Helper()
	skip.UnlessRoot(t, "makes namespaces and mounts")
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
// script begins when the runtime lets it, and not if the runtime is killed first.
func addService(t *testing.T, dir, name, script string, annotations map[string]string) {
	t.Helper()
	b := filepath.Join(dir, "containers", "services", name)
	if err := os.MkdirAll(filepath.Join(b, "rootfs"), 0o755); err != nil {
		t.Fatal(err)
	}
	spec := specs.Spec{Version: "1.0.2", Annotations: annotations, Root: &specs.Root{Path: "rootfs", Readonly: true},
		Process: &specs.Process{Cwd: "/", Args: []string{"/bin/sh", "-c", "read go || exit; cd " + dir + "; " + script}}}
	data, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(b, "config.json"), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// stage keeps a supervisor and kills it, again and again, while one of its
// services is stopped and started.
func stage(dir string) int {
	if err := playStage(dir); err != nil {
		fmt.Println("stage:", err)
		return 1
	}
	return 0
}

func playStage(dir string) error {
	kills, err := strconv.Atoi(os.Getenv(killsVar))
	if err != nil {
		return err
	}
	if err := stageMounts(); err != nil {
		return err
	}
	store, err := fdstore.NewStore()
	if err != nil {
		return err
	}
	go func() { fmt.Println("hold:", store.Serve()) }()
	reaper := reap.New()
	if _, err := keeper.KeepExits(dir+"/run/slipway", reaper, func(err error) { fmt.Println(err) }); err != nil {
		return err
	}
	k := &keeper.Keeper{
		Reaper: reaper, Program: "/proc/self/exe", MaxPause: time.Millisecond, Ready: func() {},
		Say:     func(format string, args ...any) { fmt.Printf(format+"\n", args...) },
		Command: func(program string) *exec.Cmd { return stageSupervisor(program, dir, store.Child) },
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- k.Run(ctx) }()
	toggled, toggle := make(chan error, 1), make(chan struct{})
	go func() { toggled <- toggleService(dir, toggle) }()
	killed, stopped := killMany(kills, func() bool { return busyEnough(dir, kills) })
	close(toggle)
	err = <-toggled
	cancel()
	go func() {
		// It is to stop the services now: no reason to spare it.
		for range 3 {
			time.Sleep(time.Duration(rand.IntN(40)) * time.Millisecond)
			if pid := supervisorPid(); pid != 0 && unix.Kill(pid, unix.SIGKILL) == nil {
				fmt.Println("killed on the way down")
			}
		}
	}()
	err = errors.Join(err, <-done)
	fmt.Printf("killed %d times, held %d times: %v\n", killed, stopped, err)
	if killed < kills {
		err = errors.Join(err, fmt.Errorf("killed %d times", killed))
	}
	return err
}

func stageSupervisor(program, dir string, pipes *os.File) *exec.Cmd {
	cmd := exec.Command(program, "supervise", "-containers", dir+"/containers", "-run", dir+"/run",
		"-log", dir+"/log", "-var", dir+"/var", "-runc", "/proc/self/exe", "-runc-root", dir+"/runc")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{pipes}
	return cmd
}

// toggleService asks for the stop and the start of a service until it is told
// to end. Then it asks for a last stop: once that is answered, a supervisor that
// is killed at that moment must not forget it.
func toggleService(dir string, end chan struct{}) error {
	client := control.Client{Path: dir + "/run/slipway/control.sock"}
	ask := func(verb string) bool {
		return client.Ask(verb, "toggled", control.Options{}, &control.Service{}) == nil
	}
	verbs, asked := []string{"stop", "start", "restart"}, 0
	for going := true; going; {
		if ask(verbs[rand.IntN(len(verbs))]) {
			asked++
		}
		select {
		case <-end:
			going = false
		case <-time.After(time.Duration(rand.IntN(60)) * time.Millisecond):
		}
	}
	deadline := time.Now().Add(time.Minute)
	for !ask("stop") {
		if time.Now().After(deadline) {
			return errors.New("the supervisor does not take the last stop")
		}
	}
	if err := unix.Kill(supervisorPid(), unix.SIGKILL); err != nil {
		return fmt.Errorf("kill after the last stop: %w", err)
	}
	for {
		var s control.Service
		if err := client.Service("toggled", &s); err == nil && s.State == state.Stopped {
			fmt.Printf("toggled: %d requests were heard\n", asked)
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("toggled is %s after its last stop", s.State)
		}
		time.Sleep(20 * time.Millisecond)
	}
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

// atLeast is how often services have to exit while a supervisor is killed.
func atLeast(kills int) map[string]int {
	return map[string]int{"crash": kills / 10, "toggled": kills / 50}
}

// busyEnough tells whether they have: on a slow machine that takes more kills.
func busyEnough(dir string, kills int) bool {
	for name, n := range atLeast(kills) {
		left, err := os.ReadFile(filepath.Join(dir, name+".left"))
		if err != nil || bytes.Count(left, []byte("\n")) < n {
			return false
		}
	}
	return true
}

// killMany kills the supervisor n times, and more often until enough, each time
// after it has lived for a while: sometimes it has hardly begun, sometimes all is
// well. Now and then it is only held, and goes on before it is killed.
func killMany(n int, enough func() bool) (killed, held int) {
	for deadline := time.Now().Add(15 * time.Minute); (killed < n || !enough()) && time.Now().Before(deadline); {
		longest := 90
		if rand.IntN(16) == 0 {
			longest = 600
		}
		time.Sleep(time.Duration(rand.IntN(longest)) * time.Millisecond)
		pid := supervisorPid()
		if pid == 0 {
			continue
		}
		if rand.IntN(10) == 0 && unix.Kill(pid, unix.SIGSTOP) == nil {
			held++
			continue
		}
		if unix.Kill(pid, unix.SIGKILL) == nil {
			killed++
		}
	}
	return killed, held
}

// supervisorPid finds the child of the keeper, which is PID 1 here. What a
// supervisor has forked goes by the same name until it is another program, and is
// a child of the keeper once that supervisor is dead: it has one thread then, and
// must not be held, since it would be a runtime that nobody lets go on.
func supervisorPid() int {
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return 0
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if args := strings.Split(string(data), "\x00"); err != nil || len(args) < 3 || args[1] != "supervise" {
			continue
		}
		stat, err := os.ReadFile(filepath.Join(filepath.Dir(f), "stat"))
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		const parent, threads = 4 - 3, 20 - 3 // proc(5); the first here is field 3
		if err != nil || len(fields) <= threads || fields[parent] != "1" || fields[threads] == "1" {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(f))); err == nil {
			return pid
		}
	}
	return 0
}
