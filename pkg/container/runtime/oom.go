package runtime

import (
	"fmt"
	"os"
	"strings"
)

// shield keeps containers from inheriting a supervisor's protection from the
// OOM killer: the runtime sets a score only if config.json names one. It is
// best effort, since the process may have ended.
func shield(pid int) {
	own, err := os.ReadFile("/proc/self/oom_score_adj")
	if err != nil || strings.TrimSpace(string(own)) == "0" {
		return
	}
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), []byte("0"), 0)
}
