package port

import (
	"strings"

	"golang.org/x/sys/unix"
)

// Actions of syslog(2).
const (
	syslogReadAll    = 3
	syslogSizeBuffer = 10
)

// oomText begins the kernel's line of a process that it kills because the
// machine has no memory left. When a container is out of memory it says "Memory
// cgroup out of memory".
const oomText = "Out of memory: Killed process"

// OOM is the kernel's line of the first process that it killed when out of
// memory, or "", as far back as its log goes.
func OOM() string {
	size, err := unix.Klogctl(syslogSizeBuffer, nil)
	if err != nil || size <= 0 {
		return ""
	}
	buffer := make([]byte, size)
	n, err := unix.Klogctl(syslogReadAll, buffer)
	if err != nil {
		return ""
	}
	return oomLine(string(buffer[:n]))
}

// oomLine looks at lines of "<N>[time] text". The kernel's own have N below 8:
// what programs write into its log gets another facility, and each line of it
// gets that N again.
func oomLine(log string) string {
	for line := range strings.Lines(log) {
		head, text, ok := strings.Cut(line, ">")
		if !ok || len(head) != 2 || head[0] != '<' || head[1] < '0' || head[1] > '7' {
			continue
		}
		if strings.HasPrefix(text, "[") {
			_, text, _ = strings.Cut(text, "] ")
		}
		if strings.HasPrefix(text, oomText) {
			return strings.TrimSpace(text)
		}
	}
	return ""
}
