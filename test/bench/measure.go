package main

import (
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// boot is what one boot showed. Times are seconds since /init began.
type boot struct {
	first    float64 // the first onboot container runs
	last     float64 // the last service is started
	resident float64 // MB of memory outside the containers
}

// The kernel's own line is the start: its clock and /proc/uptime begin together.
var (
	initLine     = regexp.MustCompile(`\[ *([0-9.]+)\] Run /init as init process`)
	uptimeLine   = regexp.MustCompile(`^([0-9]+\.[0-9]+) [0-9]+\.[0-9]+$`)
	lastLine     = regexp.MustCompile(`^BENCH last ([0-9.]+)`)
	residentLine = regexp.MustCompile(`^BENCH resident ([0-9]+)`)
	servicesLine = regexp.MustCompile(`^BENCH services ([0-9]+)`)
)

// partBoot boots every stack in turn, rounds times over.
func (b *bench) partBoot() (string, error) {
	var all []row
	for _, readonly := range []bool{true, false} {
		rows, err := b.measureVM(readonly)
		if err != nil {
			return "", err
		}
		all = append(all, rows...)
	}
	return b.clock() + bootTable(b, all), nil
}

func (b *bench) measureVM(readonly bool) ([]row, error) {
	var rows []row
	boots := map[string][]boot{}
	chosen := b.chosen()
	for _, s := range chosen {
		if err := b.image(filepath.Base(b.file(s)), s.yaml(b.count, readonly)); err != nil {
			return nil, err
		}
	}
	for round := range b.rounds {
		for _, s := range chosen {
			result, err := b.boot(s)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.name, err)
			}
			log.Printf("round %d, readonly %t, %s: first %.2f s, last %.2f s, %.0f MB",
				round+1, readonly, s.name, result.first, result.last, result.resident)
			boots[s.name] = append(boots[s.name], result)
		}
	}
	for _, s := range chosen {
		rows = append(rows, newRow(s.name, readonly, boots[s.name]))
	}
	return rows, nil
}

// wanted tells whether a stack was asked for by a part of its name.
func (b *bench) wanted(stack string) bool {
	return slices.ContainsFunc(strings.Split(b.only, ","), func(part string) bool { return strings.Contains(stack, part) })
}

func (b *bench) chosen() []stack {
	var chosen []stack
	for _, s := range stacks() {
		if b.wanted(s.name) {
			chosen = append(chosen, s)
		}
	}
	return chosen
}

// file is the stack's image name without a suffix.
func (b *bench) file(s stack) string {
	return filepath.Join(b.dir, strings.NewReplacer(" ", "-", ",", "").Replace(s.name))
}

// image builds the image of a YAML text under the name.
func (b *bench) image(name, yaml string) error {
	yml := filepath.Join(b.dir, name+".yml")
	if err := os.WriteFile(yml, []byte(yaml), 0o644); err != nil {
		return err
	}
	return b.command("build", "--dir", b.dir, "--name", name, yml)
}

func (b *bench) boot(s stack) (boot, error) {
	text, err := b.console(filepath.Base(b.file(s)))
	if err != nil {
		return boot{}, err
	}
	return b.parse(text)
}

func (b *bench) command(args ...string) error {
	out, err := exec.Command(b.tool, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("slipway %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// parse reads a console. A boot that did not run everything is no measurement.
func (b *bench) parse(console string) (boot, error) {
	var start, services float64
	var onboot []float64
	var r boot
	found := map[*regexp.Regexp]bool{}
	read := func(re *regexp.Regexp, line string, into *float64) bool {
		m := re.FindStringSubmatch(line)
		if m == nil {
			return false
		}
		found[re] = true
		*into, _ = strconv.ParseFloat(m[1], 64)
		return true
	}
	for line := range strings.SplitSeq(console, "\n") {
		var up float64
		if read(uptimeLine, line, &up) {
			onboot = append(onboot, up)
			continue
		}
		_ = read(initLine, line, &start) || read(lastLine, line, &r.last) ||
			read(residentLine, line, &r.resident) || read(servicesLine, line, &services)
	}
	switch {
	case !found[initLine]:
		return r, fmt.Errorf("no line of the kernel says when /init began:\n%s", console)
	case !found[lastLine] || int(services) != b.count:
		return r, fmt.Errorf("%v of %d services run at the end:\n%s", services, b.count, console)
	}
	if len(onboot) > 0 {
		r.first = onboot[0] - start
	}
	r.last -= start
	r.resident /= 1024
	return r, nil
}

func median(values []float64) float64 {
	sort.Float64s(values)
	return values[len(values)/2]
}
