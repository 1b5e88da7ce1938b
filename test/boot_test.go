package test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/qemu"
)

// testCase is a case at work.
type testCase struct {
	name   string // of the case, and of the engine if it is another
	want   *expect
	wrong  error  // of its expect.yml
	dir    string // of the case
	work   string // of its image, consoles and disks
	binary string // QEMU
	engine string // of the containers; "": as its YAML has it
	env    []string
}

// problems runs the case and lists what is not as it should be.
func (c *testCase) problems(t *testing.T) []string {
	began := time.Now()
	err := c.build(t.Context())
	t.Logf("built in %s", time.Since(began).Round(100*time.Millisecond))
	switch {
	case c.want.Refused != "" && err == nil:
		return []string{"the build accepts what it should refuse"}
	case c.want.Refused != "" && !regexp.MustCompile(c.want.Refused).MatchString(err.Error()):
		return []string{"the build is refused for another reason: " + err.Error()}
	case c.want.Refused != "":
		return nil
	case err != nil:
		return []string{"build: " + err.Error()}
	}
	disks, err := c.makeDisks(t.Context())
	if err != nil {
		return []string{err.Error()}
	}
	var booted []qemu.Boot
	for _, format := range c.want.Formats {
		image, err := c.bootable(t.Context(), format)
		if err != nil {
			return []string{format + ": " + err.Error()}
		}
		if slices.ContainsFunc(booted, func(b qemu.Boot) bool { return sameDisk(t.Context(), b, image) }) {
			t.Logf("%s: the same disk as one that has booted, byte for byte", format)
			continue
		}
		booted = append(booted, image)
		for i := range c.want.Boots {
			if problems := c.boot(t, image, i, disks); len(problems) > 0 {
				return c.inFormat(format, problems)
			}
		}
	}
	return nil
}

// inFormat says which of several formats has problems.
func (c *testCase) inFormat(format string, problems []string) []string {
	if len(c.want.Formats) > 1 {
		for i, p := range problems {
			problems[i] = format + ": " + p
		}
	}
	return problems
}

func (c *testCase) makeDisks(ctx context.Context) ([]qemu.Disk, error) {
	var disks []qemu.Disk
	for i, d := range c.want.Disks {
		file, err := filepath.Abs(filepath.Join(c.work, fmt.Sprintf("disk%d.img", i)))
		if err != nil {
			return nil, err
		}
		spec := file + ",size=" + d.Size
		if d.Bus != "" {
			spec += ",bus=" + d.Bus
		}
		if d.Serial != "" {
			spec += ",serial=" + d.Serial
		}
		made, err := qemu.ParseDisk(spec, "")
		if err != nil {
			return nil, err
		}
		if err := made.Ensure(); err != nil {
			return nil, err
		}
		c.env = append(c.env, fmt.Sprintf("DISK%d=%s", i, file))
		if d.Prepare != "" {
			if err := c.shell(ctx, d.Prepare, "DISK="+file); err != nil {
				return nil, fmt.Errorf("prepare disk: %w", err)
			}
		}
		disks = append(disks, made)
	}
	return disks, nil
}

// boot runs the machine once. The console is in a file, as a guest may write
// more than memory holds.
func (c *testCase) boot(t *testing.T, image qemu.Boot, i int, disks []qemu.Disk) (problems []string) {
	b := c.want.Boots[i]
	console := filepath.Join(c.work, fmt.Sprintf("console%d.txt", i+1))
	res, data, err := c.start(t.Context(), image, b, disks, console)
	if err == nil && neverRan(res, data) {
		t.Logf("boot %d: %s: the kernel stood still before it ran anything; once more", i+1, res)
		if err := keepStill(fmt.Sprintf("%s-boot%d.txt", filepath.Base(c.dir), i+1), data); err != nil {
			return []string{err.Error()}
		}
		res, data, err = c.start(t.Context(), image, b, disks, console)
	}
	if err != nil {
		return []string{err.Error()}
	}
	t.Logf("boot %d: %s; %.1fs of a processor", i+1, res, res.Processor.Seconds())
	problems = append(b.judge(res), b.match(strings.Split(string(data), "\n"))...)
	for _, command := range b.After {
		if err := c.shell(t.Context(), command, "CONSOLE="+filepath.Base(console), "OUTPUT="+filepath.Base(console)+".output"); err != nil {
			problems = append(problems, err.Error())
		}
	}
	for j := range problems {
		problems[j] = fmt.Sprintf("boot %d: %s", i+1, problems[j])
	}
	if len(problems) > 0 && c.want.Broken == "" {
		t.Logf("console of boot %d:\n%s", i+1, data)
	}
	return problems
}

// neverRan tells whether a machine stood still in its kernel, before any program of
// ours. QEMU's emulation does so once in some hundred boots of two processors: both
// are busy, and so is its main loop, some 70 ms after the kernel has switched its
// clock. Nothing has been written to a disk by then, so the boot may be tried again.
func neverRan(res qemu.Result, console []byte) bool {
	return (res.Ending == qemu.Hung || res.Ending == qemu.TimedOut) && bytes.Contains(console, []byte("Linux version")) &&
		!bytes.Contains(console, []byte("Run /init as init process"))
}

// keepStill keeps what such a machine had written where make test-vm tells of it.
func keepStill(name string, console []byte) error {
	dir := filepath.Join(artefacts, "stood-still")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name), console, 0o644)
}

// start runs the machine once, and returns its console too.
func (c *testCase) start(ctx context.Context, image qemu.Boot, b boot, disks []qemu.Disk, console string) (res qemu.Result, shown []byte, err error) {
	config, watch, err := c.machine(ctx, image, b, disks, console)
	if err != nil {
		return res, nil, err
	}
	log, err := os.Create(console)
	if err != nil {
		return res, nil, err
	}
	defer log.Close()
	hands, chart := newTypist(b.Type), &received{}
	con := qemu.Console{Log: log, Output: hands}
	if len(b.Timeline) > 0 {
		con.Timeline = chart.read
	}
	vm, err := qemu.Start(config, watch, con)
	if err != nil {
		return res, nil, err
	}
	if len(b.Type) > 0 {
		go hands.work(vm)
	}
	defer context.AfterFunc(ctx, vm.Kill)()
	res = vm.Wait()
	res.Warnings = append(res.Warnings, hands.problems()...)
	if len(b.Timeline) > 0 {
		res.Warnings = append(res.Warnings, chart.problems(b.Timeline)...)
	}
	shown, err = os.ReadFile(console)
	return res, shown, err
}

// machine is what a boot takes.
func (c *testCase) machine(ctx context.Context, image qemu.Boot, b boot, disks []qemu.Disk, console string) (config qemu.Config, watch qemu.Watch, err error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return config, watch, err
	}
	trial, err := qemu.Accelerator(ctx, *accel, c.binary, filepath.Join(cache, "slipway"))
	if err != nil {
		return config, watch, err
	}
	config = qemu.Config{
		Name: "test-" + filepath.Base(c.dir), Arch: qemuArch[c.want.Arch], Binary: c.binary, Accel: trial.Accel, Boot: image,
		Append: c.want.options(b),
		MemMB:  c.want.Mem, CPUs: c.want.CPUs, Disks: disks, NoReboot: true,
	}
	watch = qemu.Watch{Report: b.Report != "none" && len(b.Await) == 0, Timeout: time.Duration(b.Timeout), Idle: idleTimeout, Off: offTimeout}
	if b.Output != "" {
		watch.Output.Dir = console + ".output"
		if watch.Output.Most, err = qemu.ParseSize(b.OutputLimit); err != nil {
			return config, watch, err
		}
		if err := os.RemoveAll(watch.Output.Dir); err != nil {
			return config, watch, err
		}
	}
	for _, pattern := range b.lines() {
		watch.Expect = append(watch.Expect, regexp.MustCompile(pattern))
	}
	for _, from := range b.From {
		source, err := qemu.ParseSource(from)
		if err != nil {
			return config, watch, err
		}
		watch.ExpectFrom = append(watch.ExpectFrom, source)
	}
	config.Serials, err = c.serials(console)
	return config, watch, err
}

// options are what a boot adds to the kernel command line. A tenth of what it computes is the kernel's
// notices, each byte of which the processor gives to the serial line: only warnings and worse are shown
// there. Of two processors, which may stand still, nothing else tells (neverRan).
func (e *expect) options(b boot) string {
	words := e.Append + " " + b.Append
	if e.fromInitrd() && e.CPUs == 1 {
		words = "loglevel=5 " + words // one behind it counts
	}
	if len(b.Await) > 0 {
		words += " slipway.report=print"
	}
	return strings.TrimSpace(words)
}

// lines are patterns of what has to come before the power button is pressed.
func (b *boot) lines() []string {
	switch {
	case len(b.Await) > 0:
		return append([]string{"slipway: report: "}, b.Await...)
	case b.Until != "":
		return []string{b.Until}
	}
	return nil
}

// serials makes the files behind further serial ports. QEMU opens both ends of
// a pipe's files: what comes out stays there, and once it is full the port takes
// nothing any more.
func (c *testCase) serials(console string) (backends []string, err error) {
	for i, kind := range c.want.Serials {
		file := fmt.Sprintf("%s.serial%d", console, i+1)
		switch kind {
		case "file":
			c.env = append(c.env, fmt.Sprintf("SERIAL%d=%s", i+1, filepath.Base(file)))
			backends = append(backends, "file,path="+file)
		case "stuck":
			err = errors.Join(unix.Mkfifo(file+".in", 0o600), unix.Mkfifo(file+".out", 0o600))
			backends = append(backends, "pipe,path="+file)
		default:
			err = fmt.Errorf("serial port %q is neither file nor stuck", kind)
		}
		if err != nil {
			return nil, err
		}
	}
	return backends, nil
}

// judge compares how the machine ended with how it should.
func (b *boot) judge(res qemu.Result) (problems []string) {
	if want := endings[b.Ends]; res.Ending != want || res.Killed && b.Ends != "panic" && b.Ends != "oom" && b.Ends != "timeout" && b.Ends != "halt" {
		problems = append(problems, fmt.Sprintf("ended by %s, want %s", res, want))
	}
	if len(res.Missing) > 0 {
		problems = append(problems, "never came: "+strings.Join(res.Missing, ", "))
	}
	if b.Report != "none" && !regexp.MustCompile("^(?:"+b.Report+")$").MatchString(res.Report) {
		problems = append(problems, fmt.Sprintf("reported %q, want %s", res.Report, b.Report))
	}
	if b.Output != "" && !regexp.MustCompile("^(?:"+b.Output+")$").MatchString(res.Output.String()) {
		problems = append(problems, fmt.Sprintf("handed out %q, want %s", res.Output, b.Output))
	}
	for _, w := range res.Warnings {
		problems = append(problems, "warning: "+w)
	}
	return problems
}

// shell runs a command on the host in the case's work directory.
func (c *testCase) shell(ctx context.Context, command string, env ...string) error {
	cmd := exec.CommandContext(ctx, "sh", "-ec", command)
	cmd.Dir = c.work
	cmd.Env = append(append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin"), append(c.env, env...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("host command %q: %w\n%s", command, err, out)
	}
	return nil
}
