package qemu

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway/test/poll"
)

// fakeQEMU is a program that stands in for QEMU.
func fakeQEMU(t *testing.T, script string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "qemu")
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestTrialFirmwareRuns(t *testing.T) {
	binary, err := exec.LookPath("qemu-system-x86_64")
	if err != nil {
		t.Fatalf("QEMU is needed: %v", err)
	}
	// TCG stands for KVM here: what counts is that the firmware runs.
	if err := try(context.Background(), binary, poll.Longest, "-accel", AccelTCG); err != nil {
		t.Error(err)
	}
}

func TestTrialFailures(t *testing.T) {
	for name, tt := range map[string]struct {
		script, want string
		limit        time.Duration
	}{
		"aborts":           {"echo qemu: kvm: no >&2; kill -ABRT $$", "kvm: no", poll.Longest},
		"refuses":          {"echo bad cpu >&2; exit 1", "bad cpu", poll.Longest},
		"ends as if clean": {"exit 0", "failed", poll.Longest},
		"hangs":            {"exec sleep 60", "did not start within", 10 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			err := tryKVM(context.Background(), fakeQEMU(t, tt.script), tt.limit)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q in it", err, tt.want)
			}
		})
	}
}

func TestTrialIsRemembered(t *testing.T) {
	cache, ran := t.TempDir(), filepath.Join(t.TempDir(), "ran")
	binary := fakeQEMU(t, "echo x >>"+ran+"; exit 85")
	for range 2 {
		got, err := remembered(context.Background(), binary, cache, poll.Longest)
		if err != nil || got.Accel != AccelKVM {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	if data, err := os.ReadFile(ran); err != nil || string(data) != "x\n" {
		t.Errorf("trial boots: %q, %v; want one", data, err)
	}
	// Another QEMU in the same place is another question.
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(binary, later, later); err != nil {
		t.Fatal(err)
	}
	if _, err := remembered(context.Background(), binary, cache, poll.Longest); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(ran); err != nil || string(data) != "x\nx\n" {
		t.Errorf("trial boots after a change of QEMU: %q, %v; want two", data, err)
	}
}

// TestTrialSaysWhy has a reason for what was chosen, and none for what was asked for.
func TestTrialSaysWhy(t *testing.T) {
	for script, want := range map[string]string{"echo no kvm here >&2; exit 1": "no kvm here", "exit 85": "a trial boot worked"} {
		if got, err := remembered(context.Background(), fakeQEMU(t, script), t.TempDir(), poll.Longest); err != nil || !strings.Contains(got.Reason, want) {
			t.Errorf("%s: %+v, %v", script, got, err)
		}
	}
	for _, asked := range []string{AccelKVM, AccelTCG} {
		if got, err := Accelerator(context.Background(), asked, "/nonexistent", t.TempDir()); err != nil || got.Reason != "" {
			t.Errorf("%s: %+v, %v", asked, got, err)
		}
	}
}

func TestAcceleratorAsked(t *testing.T) {
	t.Setenv(AccelEnv, "tcg")
	for asked, want := range map[string]string{"kvm": "kvm", "tcg": "tcg", "auto": "tcg", "": "tcg"} {
		got, err := Accelerator(context.Background(), asked, "/nonexistent", t.TempDir())
		if err != nil || got.Accel != want {
			t.Errorf("%q: %+v, %v; want %s", asked, got, err, want)
		}
	}
	if got, err := Accelerator(context.Background(), "hvf", "", ""); err == nil || !strings.Contains(err.Error(), `"hvf": want auto, kvm or tcg`) {
		t.Errorf("hvf: %+v, %v", got, err)
	}
}
