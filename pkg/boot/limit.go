package boot

import (
	"os"
	"path"
	"strconv"
	"strings"
	"time"
)

// What runs containers keeps their timeouts, and says in a file how long all of
// them may take together. PID 1 only has to end what does not keep them.
const (
	stepsFile    = "limit-onshutdown"
	servicesFile = "limit-services"
)

// scriptLimit is what a script of /etc/shutdown.d that is not ours may take: as
// long as an onshutdown container that says nothing.
const scriptLimit = 60 * time.Second

// scriptsPolicy is how long what lies in /etc/shutdown.d may take, as far as it
// has come.
func (m *Machine) scriptsPolicy() time.Duration {
	return readLimit(limitPath(stepsFile)) + time.Duration(m.foreign.Load())*scriptLimit
}

func (m *Machine) servicesPolicy() time.Duration { return readLimit(limitPath(servicesFile)) }

func limitPath(file string) string { return path.Join(path.Dir(timelineFile), file) }

// readLimit is 0 without a file.
func readLimit(name string) time.Duration {
	data, err := os.ReadFile(name)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 32)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}
