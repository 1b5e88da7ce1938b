package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"slipway/pkg/qemu"
)

// soakService is a service whose process can be told by its name.
func soakService(name, more string) string {
	return fmt.Sprintf("  - {name: %s, image: \"slipway/busybox:v0.1\", binds: [\"/usr/bin/soak-guest:/bin/soak\"], command: [\"/bin/soak\", \"idle\", \"%s\"]%s}\n", name, name, more)
}

var commandsYAML = head + "services:\n" + soakService("base", ", annotations: {slipway.restart: always}") +
	soakService("needs", ", annotations: {slipway.requires: base, slipway.restart: always}") +
	soakService("other", ", annotations: {slipway.after: base}") +
	`  - {name: crash, image: "slipway/busybox:v0.1", command: ["/bin/sh", "-c", "usleep 200000; exit 3"], annotations: {slipway.restart: always, slipway.restart-max-delay: 2s}}
`

// perMachine is how many sequences of commands one machine takes.
const perMachine = 20

// commands has machines take random commands. The program in the machine sends
// them and judges.
func (s *soak) commands(t *tally) error {
	image, err := s.image(context.Background(), "commands", commandsYAML, nil)
	if err != nil {
		return err
	}
	r := t.random()
	for run := 1; t.tries < t.wanted; run++ {
		n, seed := min(perMachine, t.wanted-t.tries), r.Uint64()
		dir := filepath.Join(s.dir, fmt.Sprintf("commands-%d", run))
		m, err := s.start(dir, image, fmt.Sprintf("soak=commands,%d,%d", seed, n), qemu.Watch{})
		if err != nil {
			return err
		}
		m.Wait()
		lines := m.said()
		for _, line := range lines {
			if strings.HasPrefix(line, "OK ") {
				t.result("", nil)
				t.figure("commands", strings.Count(line, ", ")+1)
			}
		}
		done := count(lines, "OK ")
		if err := m.finish(qemu.PoweredOff, m.verdict()); err != nil {
			t.result(fmt.Sprintf("machine %d, seed %d", run, seed), err)
			t.tries += max(0, n-done-1)
		}
	}
	return nil
}

func count(lines []string, begin string) (n int) {
	for _, line := range lines {
		if strings.HasPrefix(line, begin) {
			n++
		}
	}
	return n
}

// supervisor runs the tests that kill supervisors, again and again.
func (s *soak) supervisor(t *tally) error {
	for i := range t.wanted {
		for _, args := range [][]string{
			{"test", "-count=1", "-timeout", "30m", "-run", "^TestSupervisorKilled$", "slipway/pkg/service/cli"},
			{"test", "-count=1", "-timeout", "60m", "-run", "^TestCases/survival$", "slipway/test"},
		} {
			name := fmt.Sprintf("round %d of %s", i+1, args[len(args)-1])
			cmd := exec.Command("go", args...)
			cmd.Env = append(os.Environ(), "SLIPWAY_KILLS=1000")
			out, err := cmd.CombinedOutput()
			if err != nil {
				file := filepath.Join(s.dir, fmt.Sprintf("supervisor-%d.txt", t.tries+1))
				err = errors.Join(fmt.Errorf("%w (kept in %s)", err, file), os.WriteFile(file, out, 0o644))
			}
			t.result(name, err)
		}
	}
	return nil
}
