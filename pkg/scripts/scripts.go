// Package scripts is what PID 1 tells the supervisor of /etc/init.d. Scripts come
// before and after the services, so only PID 1 knows when all have been run and
// which of them failed; the report to the host is the supervisor's to make.
package scripts

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// fileName is the note's, in the folder of our own files below /run.
const fileName = "scripts.json"

// Note is how far PID 1 has come.
type Note struct {
	Running string   `json:"running,omitempty"` // the script that is waited for
	Failed  []string `json:"failed,omitempty"`  // "SCRIPT: cause", in their order
	Over    bool     `json:"over,omitempty"`    // all have been run
}

// Write leaves the note in a folder, as a whole or not at all.
func (n Note) Write(dir string) error {
	data, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("note scripts: %w", err)
	}
	name := filepath.Join(dir, fileName)
	if err := os.WriteFile(name+".new", data, 0o600); err != nil {
		return fmt.Errorf("note scripts: %w", err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		return fmt.Errorf("note scripts: %w", err)
	}
	return nil
}

// Read gives the note that was left. Where there is none, as under another init
// than ours, nobody tells of scripts, and none is waited for.
func Read(dir string) (Note, error) {
	data, err := os.ReadFile(filepath.Join(dir, fileName))
	if errors.Is(err, fs.ErrNotExist) {
		return Note{Over: true}, nil
	}
	n := Note{}
	if err == nil {
		err = json.Unmarshal(data, &n)
	}
	if err != nil {
		// A note that cannot be read must not hold up the report for ever.
		return Note{Over: true}, fmt.Errorf("read note of scripts: %w", err)
	}
	return n, nil
}

// Faults are the scripts that failed, and the one that has not ended yet.
func (n Note) Faults() []string {
	faults := append([]string(nil), n.Failed...)
	if n.Running != "" {
		faults = append(faults, n.Running+": still running")
	}
	return faults
}
