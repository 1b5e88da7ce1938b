package supervisor

import (
	"os"
	"testing"
)

// Stop timeouts add up along the longest chain, and nowhere else.
func TestStopLimit(t *testing.T) {
	m := boot(t, "", "log run stop-timeout=10s", "db run stop-timeout=10m after=log", "web run stop-timeout=1m requires=db",
		"alone run stop-timeout=5m")
	m.awaitReady()
	m.end()
	data, err := os.ReadFile(m.guest.Paths.RunDir("limit-services"))
	if err != nil || string(data) != "685\n" {
		t.Errorf("%q %v, want 10 s, 10 min and 1 min with three times 5 s", data, err)
	}
}
