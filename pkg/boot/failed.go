package boot

import (
	"errors"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"slipway/pkg/machine"
)

// countTime is longer than the supervisor's: a service that fails at once has
// started before, and is to be counted.
const countTime = 750 * time.Millisecond

// tellBoot says when the boot was done, and what of it failed.
func (m *Machine) tellBoot(at time.Duration) {
	defer m.unmark(machine.Booting)
	if m.boot.Err() != nil {
		return
	}
	if m.supervisor != nil {
		select {
		case <-time.After(countTime):
		case <-m.boot.Done():
		}
	}
	m.Console.Printf("boot done after %.2fs%s", at.Seconds(), m.countFailed())
	if m.Options.Quiet {
		m.mark(machine.Quiet)
	}
}

// mark leaves a file for the other programs of the machine, and unmark takes it away.
func (m *Machine) mark(name string) {
	m.warn("leave word", machine.WriteFile(path.Join(machine.Run, name), nil))
}

func (m *Machine) unmark(name string) {
	if err := os.Remove(path.Join(machine.Run, name)); !errors.Is(err, os.ErrNotExist) {
		m.warn("take word back", err)
	}
}

// countFailed words how much of the boot has failed: steps of this process,
// scripts, and containers. It is empty if all went well.
func (m *Machine) countFailed() string {
	failed := len(m.scripts.Failed)
	for _, s := range m.spans {
		if s.Err != nil {
			failed++
		}
	}
	data, err := os.ReadFile(path.Join(machine.Run, machine.Failed))
	if n, nerr := strconv.Atoi(strings.TrimSpace(string(data))); err == nil && nerr == nil {
		failed += n
	}
	if failed == 0 {
		return ""
	}
	return ", " + strconv.Itoa(failed) + " failed"
}
