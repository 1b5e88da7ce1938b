package main

import (
	"bufio"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// initrd is a way to write one.
type initrd struct{ kind, compression string }

var initrdKinds = []initrd{
	{"payload", "lz4"}, {"payload", "lz4hc"}, {"payload", "zstd"}, {"payload", "gzip"}, {"payload", "none"},
	{"cpio", "gzip"}, {"cpio", "zstd"}, {"cpio", "lz4"}, {"cpio", "none"},
}

func (i initrd) name() string { return i.kind + "-" + i.compression }

// What is waited for on the console, from power-on.
var (
	initLine = regexp.MustCompile(`Run /init as init process`)
	doneLine = regexp.MustCompile(`slipway: boot done`)
)

// initrds builds the demo in each way, and boots them in turn.
func (b *bench) initrds(text *strings.Builder) error {
	toInit, toDone, cpu := map[initrd][]float64{}, map[initrd][]float64{}, map[initrd][]float64{}
	size := map[initrd]float64{}
	kinds := slices.DeleteFunc(slices.Clone(initrdKinds), func(i initrd) bool { return !b.variants.MatchString(i.name()) })
	for _, i := range kinds {
		args := []string{"build", "--offline", "-q", "--dir", b.dir, "--name", i.name(), "--initrd", i.kind, "--compression", i.compression, b.yml}
		if out, err := exec.Command(b.tool, args...).CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w: %s", i.name(), err, out)
		}
		info, err := os.Stat(filepath.Join(b.dir, i.name()+"-initrd.img"))
		if err != nil {
			return err
		}
		size[i] = float64(info.Size()) / (1 << 20)
	}
	for round := range b.rounds {
		for _, i := range kinds {
			got, err := b.boot(i.name())
			if err != nil {
				return fmt.Errorf("boot %s: %w", i.name(), err)
			}
			log.Printf("round %d, %s: /init after %.2f s, done after %.2f s, %.2f s of CPU", round+1, i.name(), got.toInit, got.toDone, got.cpu)
			toInit[i], toDone[i], cpu[i] = append(toInit[i], got.toInit), append(toDone[i], got.toDone), append(cpu[i], got.cpu)
		}
	}
	text.WriteString("The demo from power-on, in QEMU without acceleration, 2 CPUs, 1 GB. CPU is QEMU's until the\n" +
		"machine is off again: on a host that is busy it says more than the time.\n\n")
	text.WriteString("| initrd | compression | size (MB) | ratio | to /init (s) | boot done (s) | CPU (s) | ratio of CPU |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n")
	first := kinds[0]
	for _, i := range kinds {
		fmt.Fprintf(text, "| %s | %s | %.1f | %.2f | %.2f | %.2f | %.2f | %.2f |\n", i.kind, i.compression,
			size[i], size[i]/size[first], median(toInit[i]), median(toDone[i]), median(cpu[i]), median(cpu[i])/median(cpu[first]))
	}
	return nil
}

// booted is what one boot took, in seconds.
type booted struct{ toInit, toDone, cpu float64 }

// boot boots once and notes when two lines come.
func (b *bench) boot(name string) (got booted, err error) {
	cmd := exec.Command(b.tool, "run", "--accel", "tcg", "--cpus", "2", "--report", "--timeout", "10m", filepath.Join(b.dir, name))
	out, err := cmd.StdoutPipe()
	if err != nil {
		return got, err
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return got, err
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		switch at := time.Since(began).Seconds(); {
		case initLine.Match(lines.Bytes()):
			got.toInit = at
		case doneLine.Match(lines.Bytes()):
			got.toDone = at
		}
	}
	if err := cmd.Wait(); err != nil {
		return got, err
	}
	got.cpu = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	if got.toInit == 0 || got.toDone == 0 {
		return got, errors.New("a line that is waited for never came")
	}
	return got, nil
}
