package qemu

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Running is a machine in the background.
type Running struct {
	State   string // its state directory
	PID     int    // of the slipway that runs it
	Started time.Time
}

// Register has Machines find a state directory: a file in the directory list names it.
func Register(list, state string) error {
	state, err := filepath.Abs(state)
	if err == nil {
		err = os.MkdirAll(list, 0o755)
	}
	if err == nil {
		err = os.WriteFile(entryOf(list, state), []byte(state+"\n"), 0o644)
	}
	if err != nil {
		return fmt.Errorf("note a machine in the background: %w", err)
	}
	return nil
}

// entryOf is the file for a state directory, whatever its name has in it.
func entryOf(list, state string) string {
	return filepath.Join(list, fmt.Sprintf("%.16x", sha256.Sum256([]byte(state))))
}

// Machines are those of a list that run. What has ended, in whatever way, goes from the list.
func Machines(list string) ([]Running, error) {
	entries, err := os.ReadDir(list)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list machines: %w", err)
	}
	var all []Running
	for _, e := range entries {
		file := filepath.Join(list, e.Name())
		text, err := os.ReadFile(file)
		if err != nil {
			continue // gone meanwhile
		}
		state := strings.TrimSuffix(string(text), "\n")
		pid, err := backgroundPid(state)
		if errors.Is(err, ErrNotRunning) {
			_ = os.Remove(file) // another time, if not now
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list machines: %s: %w", state, err)
		}
		r := Running{State: state, PID: pid}
		if info, err := os.Stat(filepath.Join(state, "pid")); err == nil {
			r.Started = info.ModTime()
		}
		all = append(all, r)
	}
	return all, nil
}
