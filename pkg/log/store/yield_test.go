package store

import (
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/bundle"
	"slipway/pkg/log/yield"
	"slipway/test/poll"
)

// Who takes output from the pipes, and who brings it to the files, gives way.
func TestOutputGivesWay(t *testing.T) {
	p := testPaths(t)
	b, o := testBundle(bundle.Services, "foo"), testOptions(t, p)
	var mu sync.Mutex
	workers := []string{"(*Pump).loop", "(*lane).work"}
	seen := map[string]int{}
	o.Now = func() time.Time {
		nice, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
		mu.Lock()
		defer mu.Unlock()
		for _, worker := range workers {
			if err == nil && strings.Contains(string(debug.Stack()), worker) {
				seen[worker] = 20 - nice
			}
		}
		return time.Now()
	}
	w := mustOpen(t, b, o)
	write(t, w.Stdout(), "a line\n")
	for _, worker := range workers {
		poll.Until(t, worker+" gives way", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return seen[worker] == yield.Output
		})
	}
	mustClose(t, w)
}
