package main

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"

	"slipway/pkg/qemu"
)

// machine turns the flags into a machine and what to watch for. Every fault
// that it finds is the command line's.
func (f *runFlags) machine(name string) (err error) {
	f.config.Name = filepath.Base(name)
	f.state = stateOf(name, f.state)
	f.config.NoNetwork = f.networking == "none"
	if f.config.Arch, err = parseArch(f.arch); err != nil {
		return err
	}
	if f.config.MemMB, err = qemu.ParseMemory(f.mem); err != nil {
		return err
	}
	if f.config.MemMB < 16 || f.config.CPUs < 1 {
		return fmt.Errorf("%d MB of memory and %d CPUs: want at least 16 and 1", f.config.MemMB, f.config.CPUs)
	}
	if err := qemu.CheckAccelerator(f.accel); err != nil {
		return err
	}
	if f.config.Publish, err = parseAll(f.publish, qemu.ParsePublish); err != nil {
		return err
	}
	if f.watch.Output.Most, err = qemu.ParseSize(f.outputLimit); err != nil {
		return fmt.Errorf("--output-limit: %w", err)
	}
	return cmp.Or(f.contradictions(), f.parseDisks(), f.patterns())
}

// contradictions are values that make no sense, alone or together.
func (f *runFlags) contradictions() error {
	switch {
	case f.networking != "user" && f.networking != "none":
		return fmt.Errorf("networking %q: want user or none", f.networking)
	case f.networking == "none" && len(f.publish) > 0:
		return errors.New("--publish needs a network")
	case f.detached && (f.json != "" || f.junit != ""):
		return errors.New("--json and --junit: a machine in the background has its result in its state directory")
	case f.watch.Timeout < 0 || f.watch.Idle < 0:
		return errors.New("--timeout and --idle-timeout: want a duration, such as 90s, or 0 for none")
	case f.kernel && f.squashfs, f.kernel && f.iso, f.squashfs && f.iso:
		return errors.New("--kernel, --squashfs and --iso: NAME is one of them")
	case f.data != "" && f.dataFile != "":
		return errors.New("--data and --data-file are two sources of the same")
	}
	return nil
}

func (f *runFlags) parseDisks() (err error) {
	n := 0
	f.config.Disks, err = parseAll(f.disks, func(s string) (qemu.Disk, error) {
		n++
		return qemu.ParseDisk(s, filepath.Join(f.state, fmt.Sprintf("disk%d.img", n)))
	})
	for i, d := range f.config.Disks {
		if slices.ContainsFunc(f.config.Disks[:i], func(other qemu.Disk) bool { return d.Serial != "" && d.Serial == other.Serial }) {
			return fmt.Errorf("--disk: two disks with the serial %q", d.Serial)
		}
	}
	return err
}

// patterns are what is looked for.
func (f *runFlags) patterns() (err error) {
	if f.watch.Expect, err = parseAll(f.expect, regexp.Compile); err != nil {
		return fmt.Errorf("--expect: %w", err)
	}
	if f.watch.FailOn, err = parseAll(f.failOn, regexp.Compile); err != nil {
		return fmt.Errorf("--fail-on: %w", err)
	}
	if f.watch.ExpectFrom, err = parseAll(f.expectFrom, qemu.ParseSource); err != nil {
		return fmt.Errorf("--expect-from: %w", err)
	}
	if f.watch.FailOnFrom, err = parseAll(f.failOnFrom, qemu.ParseSource); err != nil {
		return fmt.Errorf("--fail-on-from: %w", err)
	}
	return nil
}

// parseArch takes QEMU's names of the architectures, and those of images.
func parseArch(name string) (string, error) {
	switch name {
	case "", "x86_64", "aarch64":
		return name, nil
	case "amd64", "linux/amd64":
		return "x86_64", nil
	case "arm64", "linux/arm64":
		return "aarch64", nil
	}
	return "", fmt.Errorf("architecture %q: want x86_64 or aarch64", name)
}

func parseAll[T any](list []string, parse func(string) (T, error)) ([]T, error) {
	var all []T
	for _, s := range list {
		v, err := parse(s)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}
