package power

import (
	"os"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/machine"
)

// Timeouts of the kernel's own way down, which ends drivers and may wait for a
// disk that takes nothing: with sync(2), with reboot(2), and with the shorter way
// of sysrq-trigger.
const (
	syncTimeout   = 10 * time.Second
	rebootTimeout = 5 * time.Second
)

// sysrqTrigger takes a letter for what the kernel is to do at once.
const sysrqTrigger = "/proc/sysrq-trigger"

// End is Now for a machine whose kernel may hang in reboot(2): after some seconds
// it asks for the same by sysrq-trigger, and then for the reset that asks no
// driver, because a machine that boots again is better than one that hangs. It
// returns if all of that failed, or at once if reboot(2) did. Say hears of each
// step.
func End(v machine.Verb, say func(format string, args ...any)) error {
	failed := make(chan error, 1)
	go func() { failed <- Now(v) }()
	for _, key := range sysrq(v) {
		select {
		case err := <-failed:
			return err
		case <-time.After(rebootTimeout):
		}
		say("%s: the kernel does not come to an end, asking it by sysrq %s", v, key)
		// It may wait for the same as reboot(2) does.
		go func() {
			if err := os.WriteFile(sysrqTrigger, []byte(key), 0); err != nil {
				say("%s: %v", v, err)
			}
		}()
	}
	return <-failed
}

// sysrq lists the letters that do what the verb says, and then the last resort.
func sysrq(v machine.Verb) []string {
	switch v {
	case machine.Halt: // there is none, and a machine that has halted does not return
		return nil
	case machine.Poweroff:
		return []string{"o", "b"}
	}
	return []string{"b"}
}

// Sync is sync(2), which waits for all disks, as long as there is hope.
func Sync() (done bool) {
	synced := make(chan struct{})
	go func() {
		unix.Sync()
		close(synced)
	}()
	select {
	case <-synced:
		return true
	case <-time.After(syncTimeout):
		return false
	}
}
