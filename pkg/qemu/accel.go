package qemu

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The accelerations.
const (
	AccelAuto = "auto"
	AccelKVM  = "kvm"
	AccelTCG  = "tcg"
)

// AccelEnv is LinuxKit's variable for the acceleration; its "kvm:tcg" means
// auto here.
const AccelEnv = "LINUXKIT_QEMU_ACCEL"

// trialTime bounds a trial boot. One that works takes a few milliseconds.
const trialTime = 3 * time.Second

// kvmDevice is what a host without KVM lacks.
const kvmDevice = "/dev/kvm"

// Trial is the answer of a trial boot, and why; without a reason it is what was asked
// for.
type Trial struct {
	Accel  string    `json:"accel"`
	Reason string    `json:"reason"`
	Date   time.Time `json:"date"`
}

// wanted is what was asked for, by a flag or in the environment.
func wanted(asked string) string {
	if asked == "" || asked == AccelAuto {
		return os.Getenv(AccelEnv)
	}
	return asked
}

// CheckAccelerator tells whether what is asked for means something.
func CheckAccelerator(asked string) error {
	switch name := wanted(asked); name {
	case "", AccelAuto, AccelKVM, AccelTCG, "kvm:tcg":
		return nil
	default:
		return fmt.Errorf("acceleration %q: want auto, kvm or tcg", name)
	}
}

// Accelerator chooses the acceleration for a QEMU binary: what was asked for,
// else KVM if a guest really runs with it. That /dev/kvm opens proves nothing:
// inside some virtual machines it opens and no guest ever starts, or none gets beyond its
// firmware. So a tiny guest is booted once, and the answer is remembered in cacheDir for this
// binary and this host kernel.
func Accelerator(ctx context.Context, asked, binary, cacheDir string) (Trial, error) {
	if err := CheckAccelerator(asked); err != nil {
		return Trial{}, err
	}
	if asked = wanted(asked); asked == AccelKVM || asked == AccelTCG {
		return Trial{Accel: asked}, nil
	}
	if err := unix.Access(kvmDevice, unix.R_OK|unix.W_OK); err != nil {
		// Quick to find out and easy to change: not remembered.
		return Trial{Accel: AccelTCG, Reason: fmt.Sprintf("%s: %v", kvmDevice, err)}, nil
	}
	return remembered(ctx, binary, cacheDir, trialTime)
}

func remembered(ctx context.Context, binary, cacheDir string, limit time.Duration) (Trial, error) {
	key, err := trialKey(binary)
	if err != nil {
		return Trial{}, err
	}
	file := filepath.Join(cacheDir, "accel-"+key+".json")
	var t Trial
	data, err := os.ReadFile(file)
	if err == nil && json.Unmarshal(data, &t) == nil && (t.Accel == AccelKVM || t.Accel == AccelTCG) {
		return t, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Trial{}, fmt.Errorf("read the last trial boot's answer: %w", err)
	}
	if err := tryKVM(ctx, binary, limit); err != nil {
		t = Trial{Accel: AccelTCG, Reason: err.Error()}
	} else {
		t = Trial{Accel: AccelKVM, Reason: "a trial boot worked"}
	}
	if ctx.Err() != nil {
		return Trial{}, ctx.Err()
	}
	t.Date = time.Now().UTC().Truncate(time.Second)
	return t, save(file, t)
}

// trialKey changes when QEMU, the host's kernel or what is tried does.
func trialKey(binary string) (string, error) {
	info, err := os.Stat(binary)
	if err != nil {
		return "", fmt.Errorf("find QEMU: %w", err)
	}
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return "", fmt.Errorf("find the host's kernel: %w", err)
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d\x00%d\x00%s\x00%s", binary, info.Size(), info.ModTime().UnixNano(), unix.ByteSliceToString(uts.Release[:]), trialFirmware()))
	return hex.EncodeToString(sum[:8]), nil
}

func save(file string, t Trial) error {
	data, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("remember trial boot: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("remember trial boot: %w", err)
	}
	temp := fmt.Sprintf("%s.%d", file, os.Getpid())
	if err := os.WriteFile(temp, data, 0o644); err != nil {
		return fmt.Errorf("remember trial boot: %w", err)
	}
	if err := os.Rename(temp, file); err != nil {
		return fmt.Errorf("remember trial boot: %w", errors.Join(err, os.Remove(temp)))
	}
	return nil
}

// tryKVM boots the trial firmware with KVM.
func tryKVM(ctx context.Context, binary string, limit time.Duration) error {
	return try(ctx, binary, limit, "-accel", AccelKVM, "-cpu", "host")
}

// try boots the trial firmware, which writes to QEMU's debug-exit device: QEMU
// then exits with a status that nothing else makes.
func try(ctx context.Context, binary string, limit time.Duration, accel ...string) error {
	firmware, err := memFile("trial-firmware", trialFirmware())
	if err != nil {
		return err
	}
	defer firmware.Close()
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("a trial boot did not start within %s", limit))
	defer cancel()
	args := append([]string{"-nodefaults", "-no-user-config", "-display", "none", "-machine", "q35", "-m", "16"}, accel...)
	args = append(args, "-bios", "/proc/self/fd/3", "-device", fmt.Sprintf("isa-debug-exit,iobase=%#x,iosize=2", trialPort))
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.ExtraFiles = []*os.File{firmware}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stderr := &tail{max: 512}
	cmd.Stderr = stderr
	err = cmd.Run()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if exit, is := errors.AsType[*exec.ExitError](err); is && exit.ExitCode() == trialValue<<1|1 {
		return nil
	}
	return fmt.Errorf("a trial boot failed: %s", died(err, stderr.String()))
}
