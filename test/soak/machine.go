package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"slipway/pkg/build"
	"slipway/pkg/build/oci"
	"slipway/pkg/build/output"
	"slipway/pkg/build/spec"
	"slipway/pkg/build/tree"
	"slipway/pkg/build/yml"
	"slipway/pkg/qemu"
)

// bootTime bounds a machine's whole run; only a hang exceeds it.
const bootTime = 20 * time.Minute

// head is how the YAML of all machines begins.
const head = `kernel: {image: "slipway/kernel:v0.1", cmdline: "console=ttyS0"}
init: ["slipway/init:v0.1", "slipway/runc:v0.1"]
`

// diskHead mounts the first disk on /var, as an onboot step.
const diskHead = head + `onboot:
  - name: mount
    image: slipway/busybox:v0.1
    rootfsPropagation: shared
    capabilities: [CAP_SYS_ADMIN]
    devices: [{path: all, type: b}]
    binds: ["/dev:/dev", "/var:/var:rshared,rbind"]
    command: ["/bin/sh", "-c", "mount -t ext4 /dev/vda /var && mkdir -p /var/data /var/upper /var/log"]
`

// image builds a machine from YAML, with our program in it: PID 1 starts it as
// the last of /etc/init.d, in the role that the kernel's command line names.
func (s *soak) image(ctx context.Context, name, yaml string, edit func(*tree.Tree) error) (boot qemu.Boot, err error) {
	if err := s.compile(); err != nil {
		return boot, err
	}
	yaml += fmt.Sprintf("files:\n  - {path: usr/bin/soak-guest, source: %q, mode: \"0755\"}\n  - {path: etc/init.d/099-soak, symlink: /usr/bin/soak-guest}\n", s.helper)
	file := filepath.Join(s.dir, name+".yml")
	if err := os.WriteFile(file, []byte(yaml), 0o644); err != nil {
		return boot, err
	}
	config, faults, err := yml.Read(ctx, []string{file}, nil)
	if err := errors.Join(err, faults.Only(yml.Error).Err()); err != nil {
		return boot, err
	}
	builder := &build.Builder{
		Finder: &oci.Finder{Store: oci.OpenStore()}, Platform: v1.Platform{OS: "linux", Architecture: "amd64"},
		Hardening: spec.HardeningDefault,
	}
	machine, err := builder.Build(ctx, config)
	if err != nil {
		return boot, err
	}
	defer func() { err = errors.Join(err, machine.Close()) }()
	if edit != nil {
		if err := edit(machine.Root); err != nil {
			return boot, fmt.Errorf("edit image: %w", err)
		}
	}
	target := &output.Target{Dir: s.dir, Name: name}
	defer func() { err = errors.Join(err, target.Discard()) }()
	if err := output.Write(ctx, "kernel+initrd", machine.Root, target, output.Options{Arch: "amd64"}); err != nil {
		return boot, err
	}
	if _, err := target.Commit(); err != nil {
		return boot, err
	}
	return qemu.Resolve(filepath.Join(s.dir, name), qemu.KernelInitrd)
}

// compile makes the program that runs in machines.
func (s *soak) compile() error {
	if s.helper != "" {
		return nil
	}
	file, err := filepath.Abs(filepath.Join(s.dir, "soak-guest"))
	if err != nil {
		return err
	}
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", file, "slipway/test/soak/guest")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("compile the guest's program: %w\n%s", err, out)
	}
	s.helper = file
	return nil
}

// vm is a machine that runs, and the directory of what it leaves.
type vm struct {
	*qemu.VM
	dir string
	log *os.File
}

// start boots a machine in a directory of its own. More are arguments for QEMU,
// which come last: their disk is the first one. What our program says in it is in
// the file said.
func (s *soak) start(dir string, boot qemu.Boot, words string, watch qemu.Watch, more ...string) (*vm, error) {
	// What a failure of an earlier run has left would be taken for this one's.
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755)); err != nil {
		return nil, err
	}
	binary, err := qemu.FindBinary("", "x86_64")
	if err != nil {
		return nil, err
	}
	script := "#!/bin/sh\nexec " + binary + ` "$@"`
	for _, arg := range more {
		script += " '" + arg + "'"
	}
	wrapper, err := filepath.Abs(filepath.Join(dir, "qemu"))
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(wrapper, []byte(script+"\n"), 0o755); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "console"))
	if err != nil {
		return nil, err
	}
	if watch.Timeout == 0 {
		watch.Timeout = bootTime
	}
	config := qemu.Config{
		Name: "soak", Binary: wrapper, Boot: boot, Append: words, MemMB: 512, CPUs: s.cpus, NoReboot: true, NoNetwork: true,
		Serials: []string{"file,path=" + filepath.Join(dir, "said")},
	}
	machine, err := qemu.Start(config, watch, qemu.Console{Log: log})
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	return &vm{VM: machine, dir: dir, log: log}, nil
}

// finish waits for the machine's end and wants it to be that one. What no machine
// may show is a fault as well. Only a failure leaves the directory behind.
func (m *vm) finish(want qemu.Ending, fault error) error {
	res := m.Wait()
	err := errors.Join(fault, m.log.Close())
	if res.Ending != want {
		err = errors.Join(err, fmt.Errorf("ended by %s, want %s", res, want))
	}
	console, readErr := os.ReadFile(filepath.Join(m.dir, "console"))
	err = errors.Join(err, readErr)
	if bad := trouble.Find(console); bad != nil {
		err = errors.Join(err, fmt.Errorf("on the console: %q", bad))
	}
	if err != nil {
		return fmt.Errorf("%w (kept in %s)", err, m.dir)
	}
	return os.RemoveAll(m.dir)
}

var trouble = regexp.MustCompile(`(?m)^(panic: |fatal error: |goroutine \d+ \[).*|WARNING: DATA RACE|\] (BUG: |Oops: |-+\[ cut here \]|.*blocked for more than).*`)

// said is what our program has told so far, by whole lines.
func (m *vm) said() []string {
	data, err := os.ReadFile(filepath.Join(m.dir, "said"))
	if err != nil {
		return nil
	}
	lines := strings.Split(strings.ReplaceAll(string(data), "\r", ""), "\n")
	return lines[:len(lines)-1]
}

// errOver says that a machine has ended before it said something.
var errOver = errors.New("the machine has ended")

// await waits until our program has told n lines that begin so.
func (m *vm) await(begin string, n int) error {
	over := make(chan struct{})
	go func() { m.Wait(); close(over) }()
	for {
		found := 0
		for _, line := range m.said() {
			if strings.HasPrefix(line, begin) {
				found++
			}
		}
		if found >= n {
			return nil
		}
		select {
		case <-over:
			return fmt.Errorf("%w before it said %q %d times", errOver, begin, n)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// verdict is what our program says of a whole run: its faults, and that it was done.
func (m *vm) verdict() error {
	lines := m.said()
	fault := faults(lines)
	if !slices.Contains(lines, "END") {
		fault = errors.Join(fault, errors.New("it was not done"))
	}
	return fault
}

// faults are the lines that begin with "FAULT".
func faults(lines []string) (fault error) {
	for _, line := range lines {
		if rest, is := strings.CutPrefix(line, "FAULT "); is {
			fault = errors.Join(fault, errors.New(rest))
		}
	}
	return fault
}

// shows tells whether a line of the console matches.
func (m *vm) shows(pattern *regexp.Regexp) bool {
	data, err := os.ReadFile(filepath.Join(m.dir, "console"))
	if err != nil {
		return false
	}
	for line := range strings.Lines(strings.ReplaceAll(string(data), "\r", "")) {
		if pattern.MatchString(line) {
			return true
		}
	}
	return false
}
