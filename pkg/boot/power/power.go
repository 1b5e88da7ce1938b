// Package power ends the machine: the commands poweroff, reboot and halt, which
// ask PID 1 for it, and reboot(2) itself. cmd/init is all three commands by the
// name it is called by.
package power

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"slipway/pkg/machine"
)

// command is reboot(2)'s name of the verb.
func command(v machine.Verb) int {
	switch v {
	case machine.Halt:
		return unix.LINUX_REBOOT_CMD_HALT
	case machine.Poweroff:
		return unix.LINUX_REBOOT_CMD_POWER_OFF
	case machine.Kexec:
		return unix.LINUX_REBOOT_CMD_KEXEC
	}
	return unix.LINUX_REBOOT_CMD_RESTART
}

// Now calls reboot(2). It returns only if that failed, or halted in a kernel
// that returns from halting.
func Now(v machine.Verb) error {
	if v == machine.Kexec && !kexecLoaded() {
		v = machine.Reboot
	}
	if err := unix.Reboot(command(v)); err != nil {
		return fmt.Errorf("reboot(2) for %s: %w", v, err)
	}
	return nil
}

// kexecLoaded says whether somebody has put a kernel in place to go on with.
func kexecLoaded() bool {
	data, err := os.ReadFile("/sys/kernel/kexec_loaded")
	return err == nil && strings.TrimSpace(string(data)) == "1"
}
