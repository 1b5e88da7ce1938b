package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"slipway/pkg/build/input"
	"slipway/pkg/qemu"
)

const runHelp = `Boots an image in QEMU, with its serial console here.

NAME is what slipway build made: NAME-kernel with NAME-initrd.img or
NAME-squashfs.img, and NAME-cmdline; or the medium NAME-efi.iso, NAME-efi.img or
NAME-efi.qcow2, which is booted with UEFI firmware. NAME may also be the file of
any ISO or disk.

On a terminal every key goes to the guest, Ctrl-C too. Ctrl-] asks the guest to
power off, a second one ends it at once. Elsewhere Ctrl-C and SIGTERM do that.

The exit status tells how it ended:
  0  the guest powered off; with --report all its containers are well,
     with --expect all patterns were seen
  1  it could not be run, the report tells of a failure or did not come, or
     the chart or the files did not come that --boot-chart and --output ask for
  2  the command line makes no sense
  3  kernel panic
  4  out of memory
  5  timeout, or hang
  6  QEMU died
  7  a line matched --fail-on
  8  it ended and --expect was not seen

No text on the console makes any other of these: any container can write there.
Only --expect and --fail-on look at it; --expect-from and --fail-on-from look at
what one container has written.`

// runFlags are the flags of `slipway run`; those that need no reading are
// fields of config and watch.
type runFlags struct {
	accel, qemu, arch, mem, json, junit, networking, state, log, data, dataFile, chartFile, outputLimit string
	publish, disks, expect, expectFrom, failOn, failOnFrom                                              []string
	kernel, iso, squashfs, detached                                                                     bool
	config                                                                                              qemu.Config
	watch                                                                                               qemu.Watch
}

func newRunCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run [qemu] [flags] NAME",
		Short: "boot an image in QEMU",
		Long:  runHelp,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 || len(args) == 2 && args[0] != "qemu" {
				return usageError{fmt.Errorf("run %q: want [qemu] NAME", args)}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			name := args[len(args)-1]
			if err := f.machine(name); err != nil {
				return usageError{err}
			}
			return f.run(cmd.Context(), name)
		},
	}
	f.register(cmd)
	completeRun(cmd)
	return cmd
}

func (f *runFlags) register(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVar(&f.mem, "mem", "1G", "memory of the guest: 512M, 2G; a number alone is MB")
	fl.IntVar(&f.config.CPUs, "cpus", 1, "CPUs of the guest")
	fl.StringVar(&f.arch, "arch", "", "x86_64 or aarch64 (default what the kernel is for, else this machine's)")
	fl.StringVar(&f.accel, "accel", qemu.AccelAuto, "auto, kvm or tcg (also $"+qemu.AccelEnv+")")
	fl.StringVar(&f.qemu, "qemu", "", "QEMU's program (also $"+qemu.BinaryEnv+")")
	fl.StringVar(&f.config.Append, "append", "", "words to add to the kernel command line")
	fl.StringArrayVar(&f.publish, "publish", nil, "forward a port: [ADDRESS:]HOST:GUEST[/udp]; again for more")
	fl.StringArrayVar(&f.disks, "disk", nil, "add a disk: FILE[,size=1G][,format=raw|qcow2][,bus=virtio|scsi|ide|nvme|usb][,serial=NAME]; again for more")
	fl.StringVar(&f.networking, "networking", "user", "user or none")
	fl.StringVar(&f.state, "state", "", "directory for disks without a name (default NAME-state)")
	fl.StringVar(&f.data, "data", "", "metadata for the guest, on a disc of its own")
	fl.StringVar(&f.dataFile, "data-file", "", "file that holds the metadata")
	fl.BoolVar(&f.config.UEFI, "uefi", false, "boot with UEFI firmware (implied by NAME-efi media)")
	fl.BoolVar(&f.config.Watchdog, "watchdog", false, "plug in an i6300esb watchdog")
	fl.BoolVar(&f.config.NoReboot, "no-reboot", false, "a reboot of the guest ends the run (implied by --report, --expect and --output)")
	fl.BoolVar(&f.kernel, "kernel", false, "NAME is a kernel+initrd image (default: found by looking)")
	fl.BoolVar(&f.squashfs, "squashfs", false, "NAME is a kernel+squashfs image")
	fl.BoolVar(&f.iso, "iso", false, "NAME is an ISO")
	fl.BoolVar(&f.watch.Report, "report", false, "the guest reports on its containers once all have started, and powers off")
	fl.StringArrayVar(&f.expect, "expect", nil, "regular expression that a console line must match, whoever wrote it; once all have, power off")
	fl.StringArrayVar(&f.failOn, "fail-on", nil, "regular expression that no console line may match")
	fl.StringArrayVar(&f.expectFrom, "expect-from", nil, "`NAME=REGEXP`: --expect for lines that this container wrote, or the kernel, or slipway")
	fl.StringArrayVar(&f.failOnFrom, "fail-on-from", nil, "`NAME=REGEXP`: --fail-on for such lines")
	fl.DurationVar(&f.watch.Timeout, "timeout", 0, "longest run, such as 90s")
	fl.DurationVar(&f.watch.Idle, "idle-timeout", 0, "longest time without console output")
	fl.BoolVar(&f.detached, "detach", false, "run in the background; slipway console and slipway stop reach it")
	fl.StringVar(&f.log, "log", "", "file for the console's text")
	fl.StringVar(&f.json, "json", "", "write how it ended, and how each container fared, to a JSON `FILE`")
	fl.StringVar(&f.junit, "junit", "", "the same as JUnit XML, which CI systems show")
	fl.StringVar(&f.watch.Output.Dir, "output", "", "`DIR` for the files that containers leave in /run/slipway/output; it is made, or empty (implies --no-reboot)")
	fl.StringVar(&f.outputLimit, "output-limit", "256M", "how much these files may have together: 64M, 2G; a number alone is MB")
	fl.StringVar(&f.chartFile, "boot-chart", "", "draw what the boot took in an SVG `FILE`, once all has started")
}

// run finds what the machine needs on this host, and runs it to its end.
func (f *runFlags) run(ctx context.Context, name string) (err error) {
	c := &f.config
	if f.detached && qemu.Lacking != "" {
		return fmt.Errorf("--detach: %s", qemu.Lacking)
	}
	if err := checkChart(f.chartFile); err != nil {
		return err
	}
	for _, place := range [][2]string{{"--log", f.log}, {"--json", f.json}, {"--junit", f.junit}} {
		if err := checkPlace(place[1]); err != nil {
			return fmt.Errorf("%s: %w", place[0], err)
		}
	}
	if err := f.watch.Output.Check(); err != nil {
		return err
	}
	if c.Boot, err = qemu.Resolve(name, f.kind()); err != nil {
		return err
	}
	if err := f.matchBoot(); err != nil {
		return err
	}
	if c.Binary, err = qemu.FindBinary(f.qemu, c.Arch); err != nil {
		return err
	}
	trial, err := qemu.Accelerator(ctx, f.accel, c.Binary, cacheDirectory())
	if err != nil {
		return err
	}
	c.Accel = trial.Accel
	if os.Getenv(detachedEnv) == "" {
		fmt.Fprint(os.Stderr, withoutKVM(trial))
	}
	if _, err := qemu.Args(*c); err != nil {
		return err // before anything is made, and before --detach
	}
	if f.watch.Report || f.watch.Output.Dir != "" || len(f.watch.Expect)+len(f.watch.ExpectFrom) > 0 {
		c.NoReboot = true
	}
	switch {
	case os.Getenv(detachedEnv) != "":
		return f.background()
	case f.detached:
		return f.detach()
	}
	if err := f.metadata(); err != nil {
		return err
	}
	return f.session()
}

// withoutKVM says why a machine is emulated that nobody wanted to be; "" for others.
func withoutKVM(t qemu.Trial) string {
	if t.Accel != qemu.AccelTCG || t.Reason == "" {
		return ""
	}
	reason, _, _ := strings.Cut(t.Reason, "\n")
	return "slipway: run: emulated, which is slow: KVM does not work here: " + reason + "\n"
}

func hostArch() string {
	if runtime.GOARCH == "arm64" {
		return "aarch64"
	}
	return "x86_64"
}

// matchBoot makes the machine one that the image can boot on.
func (f *runFlags) matchBoot() error {
	c := &f.config
	if c.Boot.Kernel == "" {
		if c.Append != "" {
			return usageError{fmt.Errorf("--append: the command line of %s is inside it", c.Name)}
		}
		c.Arch = cmp.Or(c.Arch, hostArch())
		return nil
	}
	of, err := qemu.KernelArch(c.Boot.Kernel)
	if err != nil {
		return err
	}
	c.Arch = cmp.Or(c.Arch, of, hostArch())
	if of != "" && of != c.Arch {
		return usageError{fmt.Errorf("--arch %s: %s is for %s", c.Arch, c.Boot.Kernel, of)}
	}
	return nil
}

// maxData bounds what a guest is given as metadata; LinuxKit's own has kilobytes.
const maxData = 64 << 20

// metadata makes the disc for --data in the state directory.
func (f *runFlags) metadata() (err error) {
	data := []byte(f.data)
	if f.dataFile != "" {
		if data, err = input.ReadStream(f.dataFile, maxData); err != nil {
			return fmt.Errorf("read metadata: %w", err)
		}
	}
	if len(data) == 0 {
		return nil
	}
	f.config.Metadata = filepath.Join(f.state, "data.iso")
	return qemu.MakeMetadata(f.config.Metadata, data)
}

func (f *runFlags) kind() qemu.Kind {
	switch {
	case f.kernel:
		return qemu.KernelInitrd
	case f.squashfs:
		return qemu.KernelSquashfs
	case f.iso:
		return qemu.ISO
	}
	return qemu.AnyKind
}
