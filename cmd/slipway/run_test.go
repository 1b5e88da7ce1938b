package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slipway/pkg/port"
	"slipway/pkg/qemu"
)

// fakeImage makes the files of an image, and a program in QEMU's place that
// says script on the console (descriptor 3) and then powers off.
func fakeImage(t *testing.T, script string) (name, qemu string) {
	t.Helper()
	name, qemu = filepath.Join(t.TempDir(), "image"), filepath.Join(t.TempDir(), "qemu")
	program := "#!/bin/sh\necho \"$@\" >\"$0.args\"\necho '{\"QMP\":{}}' >&4; read x <&4\n" + script +
		"\necho '{\"event\":\"SHUTDOWN\",\"data\":{\"reason\":\"guest-shutdown\"}}' >&4\n"
	for file, text := range map[string]string{name + "-kernel": "", name + "-initrd.img": "", name + "-cmdline": "console=ttyS0", qemu: program} {
		if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return name, qemu
}

// says is a shell command that says something on the port (descriptor 5), as the
// guest's programs do.
func says(t *testing.T, all ...port.Message) string {
	t.Helper()
	var b bytes.Buffer
	for _, m := range all {
		if err := port.Write(&b, m); err != nil {
			t.Fatal(err)
		}
	}
	return "printf '%s' '" + b.String() + "' >&5; "
}

// TestRunLongCmdline starts nothing whose kernel would say nothing, in the
// background either.
func TestRunLongCmdline(t *testing.T) {
	for _, flags := range [][]string{nil, {"--detach"}, {"--report"}} {
		name, qemu := fakeImage(t, "")
		args := append([]string{"run", "--accel", "tcg", "--qemu", qemu, "--append", strings.Repeat("x", 2040)}, flags...)
		_, errOut, status := command(t, "", append(args, name)...)
		if status != 1 || !strings.Contains(errOut, "and the kernel takes 2047; 13 of them are the image's own") {
			t.Errorf("%v: status %d: %s", flags, status, errOut)
		}
		if _, err := os.Stat(qemu + ".args"); err == nil {
			t.Errorf("%v: QEMU was started", flags)
		}
	}
}

func TestRunStatus(t *testing.T) {
	hello := says(t, port.Message{Hello: &port.Hello{From: port.Init}})
	reports := func(faults ...string) string {
		return hello + says(t, port.Message{Report: &port.Report{Final: true, Faults: faults}})
	}
	tests := []struct {
		name, script string
		flags        []string
		want         int
	}{
		{"power-off", "echo hello >&3", nil, 0},
		{"expect", "echo hello >&3", []string{"--expect", "^hel+o$"}, 0},
		{"expect, not seen", "echo hello >&3", []string{"--expect", "bye"}, 8},
		{"fail-on", "echo FAIL >&3; exec sleep 60", []string{"--fail-on", "FAIL"}, 7},
		{"report", reports(), []string{"--report"}, 0},
		{"bad report", reports("x: y"), []string{"--report"}, 1},
		{"report by a container", hello + "echo slipway: report: ok >&3", []string{"--report"}, 1},
		{"panic", `echo '{"event":"GUEST_PANICKED"}' >&4`, nil, 3},
		{"panic by a container", hello + "echo 'Kernel panic - not syncing: x' >&3", nil, 0},
		{"out of memory", says(t, port.Message{End: &port.End{Verb: "poweroff", OOM: "Out of memory: Killed process 9 (x)"}}), nil, 4},
		{"out of memory by a container", hello + "echo 'Out of memory: Killed process 9 (x)' >&3", nil, 0},
		{"expect-from", hello + says(t, port.Message{Line: &port.Line{From: "web", Text: "up"}}), []string{"--expect-from", "web=^up$"}, 0},
		{"expect-from, by another", hello + "echo web: up >&3", []string{"--expect-from", "web=up"}, 8},
		{"fail-on-from", hello + says(t, port.Message{Line: &port.Line{From: "web", Text: "FAIL"}}) + "exec sleep 60", []string{"--fail-on-from", "web=FAIL"}, 7},
		{"pattern from nobody", "", []string{"--expect-from", "^up$"}, 2},
		{"timeout", "exec sleep 60", []string{"--timeout", "100ms"}, 5},
		{"silence", "exec sleep 60", []string{"--idle-timeout", "100ms"}, 5},
		{"QEMU dies", "exit 3", nil, 6},
		{"bad pattern", "", []string{"--expect", "("}, 2},
		{"bad disk", "", []string{"--disk", "d,size=x"}, 2},
		{"bad port", "", []string{"--publish", "http"}, 2},
		{"bad memory", "", []string{"--mem", "1"}, 2},
		{"bad network", "", []string{"--networking", "bridge"}, 2},
		{"disk is not there", "", []string{"--disk", "/nonexistent/d"}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			name, qemu := fakeImage(t, tt.script)
			if got := runCLI(append(tt.flags, "--accel", "tcg", "--qemu", qemu, name)...); got != tt.want {
				t.Errorf("status %d, want %d", got, tt.want)
			}
		})
	}
}

func runCLI(args ...string) int {
	cmd := newRunCommand()
	cmd.SetArgs(args)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetOut(io.Discard)
	return status(cmd.Execute())
}

func TestRunUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"docker", "x"}, {"qemu", "x", "y"}} {
		if got := runCLI(args...); got != 2 {
			t.Errorf("%q: status %d, want 2", args, got)
		}
	}
	if got := runCLI("--accel", "tcg", filepath.Join(t.TempDir(), "missing")); got != 1 {
		t.Errorf("an image that is not there: status %d, want 1", got)
	}
}

func TestRunLogAndOptions(t *testing.T) {
	name, qemu := fakeImage(t, `printf 'a\r\n\033[1mb\033[0m\r\nslipway: report: ok\r\n' >&3; `+
		says(t, port.Message{Report: &port.Report{Final: true}}))
	log, disk := filepath.Join(t.TempDir(), "log"), filepath.Join(t.TempDir(), "d.img")
	if got := runCLI("qemu", name, "--accel", "tcg", "--qemu", qemu, "--log", log, "--report", "--append", "x=y", "--disk", disk+",size=1M"); got != 0 {
		t.Fatalf("status %d", got)
	}
	if data, err := os.ReadFile(log); err != nil || string(data) != "a\nb\nslipway: report: ok\n" {
		t.Errorf("log %q, %v", data, err)
	}
	args, err := os.ReadFile(qemu + ".args")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"console=ttyS0 no_timer_check cryptomgr.notests slipway.modules=unsigned x=y", "file=" + disk, "-m 1024", "reboot=shutdown"} {
		if !strings.Contains(string(args), want) {
			t.Errorf("no %q in %s", want, args)
		}
	}
	if info, err := os.Stat(disk); err != nil || info.Size() != 1<<20 {
		t.Errorf("disk %v, %v", info, err)
	}
}

// TestWithoutKVM says one line where KVM was wanted and is not used, and nothing else.
func TestWithoutKVM(t *testing.T) {
	for want, trial := range map[string]qemu.Trial{
		"slipway: run: emulated, which is slow: KVM does not work here: /dev/kvm: permission denied\n": {Accel: qemu.AccelTCG, Reason: "/dev/kvm: permission denied\nmore"},
	} {
		if got := withoutKVM(trial); got != want {
			t.Errorf("%+v: %q, want %q", trial, got, want)
		}
	}
	for _, quiet := range []qemu.Trial{{Accel: qemu.AccelTCG}, {Accel: qemu.AccelKVM}, {Accel: qemu.AccelKVM, Reason: "a trial boot worked"}} {
		if got := withoutKVM(quiet); got != "" {
			t.Errorf("%+v: %q", quiet, got)
		}
	}
}
