package main

import (
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"slipway/pkg/build/oci"
)

// built is what one build took; floor is reading the same tree as a tar and
// compressing it once, by the same program.
type built struct{ seconds, cpu, peak float64 }

// builds measures the demo and an image of a gigabyte, cold and warm.
func (b *bench) builds(text *strings.Builder) error {
	big, err := b.makeBig()
	if err != nil {
		return err
	}
	text.WriteString("`slipway build` to kernel+initrd, beside its floor: to read the same tree as a tar and to\n" +
		"compress it once. Cold is the first build of these images, with nothing in the page cache:\n" +
		"their layers are unpacked, which the floor is spared, or does by gzip(1) where both unpack. Memory is the most that all processes of the build held together.\n\n")
	text.WriteString("| machine | tree (MB) | cache | build (s) | floor (s) | ratio | CPU (s) | floor's (s) | memory (MB) | floor's (MB) |\n" +
		"| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for _, m := range []struct {
		name, yml string
	}{{"demo", b.yml}, {"1 GB", big}} {
		if err := b.machine(text, m.name, m.yml); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return nil
}

func (b *bench) machine(text *strings.Builder, name, yml string) error {
	tar := filepath.Join(b.dir, "tree.tar")
	build := []string{b.tool, "build", "--offline", "-q", "--dir", b.dir, "--name", "bench", yml}
	if _, err := measure(append(build[:len(build):len(build)], "-f", "tar", "-o", tar)...); err != nil {
		return err
	}
	info, err := os.Stat(tar)
	if err != nil {
		return err
	}
	squashfs := filepath.Join(b.dir, "floor.sqfs")
	pack := "mksquashfs - " + squashfs + " -tar -noappend -quiet -no-progress -mem 512M -b 131072 -comp lz4"
	caches := []struct{ name, floor string }{{"warm", pack + " <" + tar}}
	if os.Geteuid() == 0 { // who may empty the page cache
		if _, err := measure("gzip", "-1", "--keep", tar); err != nil {
			return err
		}
		caches = append(caches, struct{ name, floor string }{"cold", pack + " <" + tar},
			struct{ name, floor string }{"cold, both unpack", "gzip -dc " + tar + ".gz | " + pack})
	}
	if _, err := measure(build...); err != nil {
		return err
	}
	for _, cache := range caches {
		var all [2][]built
		for range b.rounds {
			for i, command := range [][]string{build, {"sh", "-c", cache.floor}} {
				if err := prepare(cache.name, squashfs); err != nil {
					return err
				}
				got, err := measure(command...)
				if err != nil {
					return err
				}
				log.Printf("%s, %s: %s took %.2f s, %.2f s of CPU, %.0f MB", name, cache.name, filepath.Base(command[0]), got.seconds, got.cpu, got.peak)
				all[i] = append(all[i], got)
			}
		}
		took, least := middle(all[0]), middle(all[1])
		fmt.Fprintf(text, "| %s | %.0f | %s | %.2f | %.2f | %.2f | %.2f | %.2f | %.0f | %.0f |\n", name, float64(info.Size())/(1<<20), cache.name,
			took.seconds, least.seconds, took.seconds/least.seconds, took.cpu, least.cpu, took.peak, least.peak)
	}
	return errors.Join(os.Remove(tar), os.RemoveAll(tar+".gz"))
}

// middle is the median of each figure.
func middle(list []built) built {
	pick := func(field func(built) float64) float64 {
		var all []float64
		for _, b := range list {
			all = append(all, field(b))
		}
		return median(all)
	}
	return built{
		pick(func(b built) float64 { return b.seconds }),
		pick(func(b built) float64 { return b.cpu }),
		pick(func(b built) float64 { return b.peak }),
	}
}

// prepare empties the page cache for a cold build, and removes what would be
// added to.
func prepare(cache, squashfs string) error {
	if err := os.Remove(squashfs); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if cache == "warm" {
		return nil
	}
	if err := os.RemoveAll(filepath.Join(oci.StoreDir(), "unpacked")); err != nil {
		return err
	}
	if out, err := exec.Command("sync").CombinedOutput(); err != nil {
		return fmt.Errorf("sync: %w: %s", err, out)
	}
	return os.WriteFile("/proc/sys/vm/drop_caches", []byte("3\n"), 0o200)
}

// measure runs a command in a process group of its own and watches the memory of
// the group.
func measure(args ...string) (built, error) {
	cmd := exec.Command(args[0], args[1:]...)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.SysProcAttr = ownGroup
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return built{}, err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	var peak int64
	for {
		select {
		case err := <-done:
			if err != nil {
				return built{}, fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, said.String())
			}
			cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
			return built{time.Since(began).Seconds(), cpu.Seconds(), float64(peak) / (1 << 20)}, nil
		case <-time.After(10 * time.Millisecond):
			peak = max(peak, groupMemory(cmd.Process.Pid))
		}
	}
}
