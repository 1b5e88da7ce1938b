package machine

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// What runs containers keeps their timeouts, and says in a file how long all of a
// section may take together to come to their end: onboot, onshutdown, supervisor
// -> PID 1, which ends what does not keep them. It is a number of seconds.

// WriteLimit says so for a section. Dir is Run, but in tests.
func WriteLimit(dir, section string, d time.Duration) error {
	seconds := strconv.FormatInt(int64(d.Round(time.Second)/time.Second), 10)
	return WriteFile(limitFile(dir, section), []byte(seconds+"\n"))
}

// ReadLimit reads it; it is 0 without a file that can be read.
func ReadLimit(dir, section string) time.Duration {
	data, err := os.ReadFile(limitFile(dir, section))
	if err != nil {
		return 0
	}
	seconds, err := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

func limitFile(dir, section string) string { return filepath.Join(dir, "limit-"+section) }
