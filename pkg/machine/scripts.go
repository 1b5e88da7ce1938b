package machine

import (
	"errors"
	"io/fs"
	"path/filepath"
)

// Scripts is how far PID 1 has come with /etc/init.d: scripts come before and after
// the services, so only PID 1 knows when all have been run and which of them failed,
// and the report to the host is the supervisor's to make.
type Scripts struct {
	Running string   `json:"running,omitempty"` // the script that is waited for
	Failed  []string `json:"failed,omitempty"`  // "SCRIPT: cause", in their order
	Over    bool     `json:"over,omitempty"`    // all have been run
}

// Write leaves word of it. Dir is Run, but in tests.
func (s Scripts) Write(dir string) error { return WriteJSON(filepath.Join(dir, ScriptsFile), s) }

// ReadScripts reads what PID 1 has left. Where that is nothing, as under another init
// than ours, nobody tells of scripts, and none is waited for. Nor is it with an error,
// which must not hold up a report for ever.
func ReadScripts(dir string) (Scripts, error) {
	var s Scripts
	err := ReadJSON(filepath.Join(dir, ScriptsFile), &s)
	if errors.Is(err, fs.ErrNotExist) {
		err, s.Over = nil, true
	}
	if err != nil {
		return Scripts{Over: true}, err
	}
	return s, nil
}

// Faults are the scripts that failed, and the one that has not ended yet.
func (s Scripts) Faults() []string {
	faults := append([]string(nil), s.Failed...)
	if s.Running != "" {
		faults = append(faults, s.Running+": still running")
	}
	return faults
}
