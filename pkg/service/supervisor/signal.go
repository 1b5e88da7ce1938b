package supervisor

import (
	"bytes"
	"os"
	"strconv"

	"slipway/pkg/reap"
)

// handles tells whether a signal can make a process do anything. One that it
// ignores cannot; nor can one without a handler if it is the first process of a
// pid namespace, where the kernel discards what would only end it. To wait for
// such a process to stop is to wait for nothing. When in doubt, it hears.
func handles(p reap.Ident, sig int) bool {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(p.Pid) + "/status")
	if err != nil {
		return true
	}
	return statusHandles(data, sig)
}

func statusHandles(status []byte, sig int) bool {
	bit := uint64(1) << (sig - 1)
	set := func(key string) bool {
		fields := bytes.Fields(lineOf(status, key))
		if len(fields) == 0 {
			return false
		}
		mask, err := strconv.ParseUint(string(fields[0]), 16, 64)
		return err == nil && mask&bit != 0
	}
	if set("SigBlk:") {
		return true // somebody waits for it, with sigwait or a signalfd
	}
	if set("SigIgn:") {
		return false
	}
	pids := bytes.Fields(lineOf(status, "NSpid:"))
	first := len(pids) > 1 && string(pids[len(pids)-1]) == "1"
	return !first || set("SigCgt:")
}

// lineOf is what stands behind a key at the beginning of a line.
func lineOf(status []byte, key string) []byte {
	for line := range bytes.Lines(status) {
		if rest, ok := bytes.CutPrefix(line, []byte(key)); ok {
			return rest
		}
	}
	return nil
}
