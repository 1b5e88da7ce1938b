package boot

import (
	"context"
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

// within ends after a time, or after the longer one that a file in our folder of
// /run gives, in seconds, by then.
func within(least time.Duration, file string) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(least, func() {
		if more := readLimit(path.Join(path.Dir(timelineFile), file)) - least; more > 0 {
			time.AfterFunc(more, cancel)
		} else {
			cancel()
		}
	})
	return ctx, cancel
}

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
