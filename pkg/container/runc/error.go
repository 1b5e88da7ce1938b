package runc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"slipway/pkg/reap"
)

// Error is a call that the runtime itself failed.
type Error struct {
	Verb    string
	Status  reap.Status
	Message string // the runtime's own words, or ""
}

func (e *Error) Error() string {
	if e.Message == "" {
		return fmt.Sprintf("runc %s: %s", e.Verb, e.Status)
	}
	return fmt.Sprintf("runc %s: %s", e.Verb, e.Message)
}

// Repeats tells whether a line of the container's output is what the runtime has
// written there of the same failure, as it does beside its log.
func Repeats(err error, line string) bool {
	var e *Error
	return errors.As(err, &e) && e.Message != "" && strings.HasSuffix(strings.TrimSpace(line), e.Message)
}

// lastError takes the last error out of the runtime's log, without the words
// that only say which parts of the runtime it came through.
func lastError(status reap.Status, file string) string {
	if status.Success() {
		return ""
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	var message string
	for line := range bytes.Lines(data) {
		var entry struct{ Level, Msg string }
		if json.Unmarshal(line, &entry) == nil && (entry.Level == "error" || entry.Level == "fatal") {
			message = entry.Msg
		}
	}
	for _, noise := range []string{
		"runc run failed: ", "runc create failed: ", "unable to start container process: ",
		"error during container init: ",
	} {
		message = strings.TrimPrefix(message, noise)
	}
	return message
}

// copyDebug shows what the runtime logged in debug mode, and empties the log,
// so that the next call's is not shown with it.
func (r *Runtime) copyDebug(file string) error {
	if !r.Debug || r.DebugOut == nil {
		return nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if _, err = r.DebugOut.Write(data); err != nil {
		return err
	}
	return os.Truncate(file, 0)
}

// shield keeps containers from inheriting a supervisor's protection from the
// OOM killer: the runtime sets a score only if config.json names one. It is
// best effort, since the process may have ended.
func shield(pid int) {
	own, err := os.ReadFile("/proc/self/oom_score_adj")
	if err != nil || strings.TrimSpace(string(own)) == "0" {
		return
	}
	name := fmt.Sprintf("/proc/%d/oom_score_adj", pid)
	if err := os.WriteFile(name, []byte("0"), 0); err != nil {
		return
	}
}

func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// ReadState reads which process runc's own state names as the container's
// init. It is still known there when the process has come and gone.
func (r *Runtime) ReadState(id string) (reap.Ident, error) {
	p, _, err := r.ReadOrigin(id)
	return p, err
}

// ReadOrigin is ReadState and the folder of the bundle that the container was
// made from.
func (r *Runtime) ReadOrigin(id string) (reap.Ident, string, error) {
	file := r.StateDir(id) + "/state.json"
	data, err := os.ReadFile(file)
	if err != nil {
		return reap.Ident{}, "", err
	}
	var state struct {
		Pid    int    `json:"init_process_pid"`
		Start  uint64 `json:"init_process_start"`
		Config struct {
			Labels []string `json:"labels"`
		} `json:"config"`
	}
	if err := json.Unmarshal(data, &state); err != nil {
		return reap.Ident{}, "", fmt.Errorf("%s: %w", file, err)
	}
	for _, l := range state.Config.Labels {
		if dir, is := strings.CutPrefix(l, "bundle="); is {
			return reap.Ident{Pid: state.Pid, Start: state.Start}, dir, nil
		}
	}
	return reap.Ident{Pid: state.Pid, Start: state.Start}, "", nil
}

// RemoveState takes the state of a container away. Files are unlinked and
// folders removed one by one: nothing is deleted through a mount.
func (r *Runtime) RemoveState(id string, unmount func(dir string) error) error {
	dir := r.StateDir(id)
	err := removeTree(dir)
	if errors.Is(err, syscall.EBUSY) {
		// Some versions of runc bind themselves there and, killed, stay so.
		if err := unmount(dir); err != nil {
			return err
		}
		err = removeTree(dir)
	}
	return err
}

// removeTree descends only where rmdir says that a folder is not empty, which
// it does not say of a mount point: that one is busy.
func removeTree(dir string) error {
	err := syscall.Rmdir(dir)
	switch {
	case err == nil || errors.Is(err, fs.ErrNotExist):
		return nil
	case !errors.Is(err, syscall.ENOTEMPTY):
		return &os.PathError{Op: "rmdir", Path: dir, Err: err}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := dir + "/" + e.Name()
		if e.IsDir() {
			err = removeTree(name)
		} else if err = syscall.Unlink(name); err != nil {
			err = &os.PathError{Op: "unlink", Path: name, Err: err}
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := syscall.Rmdir(dir); err != nil {
		return &os.PathError{Op: "rmdir", Path: dir, Err: err}
	}
	return nil
}
