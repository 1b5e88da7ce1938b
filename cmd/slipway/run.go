package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"slipway/pkg/qemu"
)

// runFlags are the flags of `slipway run` that need reading before they fit a
// qemu.Config or qemu.Watch.
type runFlags struct {
	accel, qemu, networking, state, log string
	publish, disks, expect, failOn      []string
	config                              qemu.Config
	watch                               qemu.Watch
}

func newRunCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run [qemu] [flags] NAME",
		Short: "boot an image in QEMU",
		Args:  cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 2 && args[0] != "qemu" {
				return fmt.Errorf("backend %q: want qemu", args[0])
			}
			return f.run(args[len(args)-1])
		},
	}
	f.register(cmd)
	return cmd
}

func (f *runFlags) register(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.IntVar(&f.config.MemMB, "mem", 1024, "memory of the guest, in MB")
	fl.IntVar(&f.config.CPUs, "cpus", 1, "CPUs of the guest")
	fl.StringVar(&f.accel, "accel", "auto", "auto, kvm or tcg (also $LINUXKIT_QEMU_ACCEL)")
	fl.StringVar(&f.qemu, "qemu", "", "QEMU's program (also $"+qemu.BinaryEnv+")")
	fl.StringVar(&f.config.Append, "append", "", "words to add to the kernel command line")
	fl.StringArrayVar(&f.publish, "publish", nil, "forward a port: [ADDRESS:]HOST:GUEST[/udp]")
	fl.StringArrayVar(&f.disks, "disk", nil, "add a disk: FILE[,size=1G][,format=raw|qcow2][,bus=virtio|scsi|ide]")
	fl.StringVar(&f.networking, "networking", "user", "user or none")
	fl.StringVar(&f.state, "state", "", "folder for what belongs to this machine (NAME-state)")
	fl.BoolVar(&f.config.UEFI, "uefi", false, "boot with UEFI firmware")
	fl.BoolVar(&f.config.Watchdog, "watchdog", false, "plug in an i6300esb watchdog")
	fl.BoolVar(&f.watch.Report, "report", false, "wait for the guest's report of its containers, then power off")
	fl.StringArrayVar(&f.expect, "expect", nil, "regular expression that a console line must match; then power off")
	fl.StringArrayVar(&f.failOn, "fail-on", nil, "regular expression that no console line may match")
	fl.DurationVar(&f.watch.Timeout, "timeout", 0, "longest run")
	fl.DurationVar(&f.watch.Idle, "idle-timeout", 0, "longest time without console output")
	fl.StringVar(&f.log, "log", "", "file for the console's text")
}

func (f *runFlags) run(name string) error {
	if err := f.machine(name); err != nil {
		return err
	}
	vm, err := qemu.Start(f.config, f.watch, qemu.Console{Output: os.Stdout, Plain: true})
	if err != nil {
		return err
	}
	res := vm.Wait()
	fmt.Fprintln(os.Stderr, "slipway: run:", res)
	os.Exit(res.Status())
	return nil
}

func (f *runFlags) machine(name string) (err error) {
	f.config.Name = filepath.Base(name)
	if f.config.Boot, err = qemu.Resolve(name); err != nil {
		return err
	}
	if f.config.Binary, err = qemu.FindBinary(f.qemu, "x86_64"); err != nil {
		return err
	}
	f.config.Accel = "tcg"
	for _, p := range f.publish {
		rule, err := qemu.ParsePublish(p)
		if err != nil {
			return err
		}
		f.config.Publish = append(f.config.Publish, rule)
	}
	for _, d := range f.disks {
		disk, err := qemu.ParseDisk(d, "")
		if err != nil {
			return err
		}
		f.config.Disks = append(f.config.Disks, disk)
	}
	f.config.NoNetwork = f.networking == "none"
	if f.watch.Report {
		f.config.Append = strings.TrimSpace(f.config.Append + " slipway.report=poweroff")
	}
	if f.watch.Expect, err = patterns(f.expect); err != nil {
		return err
	}
	if f.watch.FailOn, err = patterns(f.failOn); err != nil {
		return err
	}
	f.config.NoReboot = f.watch.Report || len(f.watch.Expect) > 0
	return nil
}

func patterns(list []string) ([]*regexp.Regexp, error) {
	var all []*regexp.Regexp
	for _, s := range list {
		re, err := regexp.Compile(s)
		if err != nil {
			return nil, fmt.Errorf("pattern %q: %w", s, err)
		}
		all = append(all, re)
	}
	return all, nil
}

