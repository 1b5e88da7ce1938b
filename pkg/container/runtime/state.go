package runtime

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"

	"slipway/pkg/reap"
)

// StateDir is where the runtime keeps what it knows of a container.
func (r *Runtime) StateDir(id string) string { return path.Join(r.root(), id) }

// StateFile is the file in it that tells of the container's process.
func (r *Runtime) StateFile(id string) string { return path.Join(r.StateDir(id), r.kind().stateFile) }

// ReadState reads which process the runtime's own state names as the container's
// init. It is still known there when the process has come and gone.
func (r *Runtime) ReadState(id string) (reap.Ident, error) {
	p, _, err := r.ReadOrigin(id)
	return p, err
}

// ReadOrigin is ReadState and the directory of the bundle that the container was
// made from.
func (r *Runtime) ReadOrigin(id string) (reap.Ident, string, error) {
	p, bundle, err := r.kind().state(r.StateFile(id))
	if err != nil {
		return reap.Ident{}, "", err
	}
	return p, bundle, nil
}

func readJSON(file string, to any) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, to); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// InHook tells whether the first process of a container that was let run still
// runs its startContainer hooks.
func (r *Runtime) InHook(id string, pid int) bool { return r.kind().inHook(pid, id) }

// Started tells whether the program of a container that was created has been let run.
// Until then the container waits on this FIFO, which the runtime's start removes.
func (r *Runtime) Started(id string) bool {
	_, err := os.Lstat(r.StateDir(id) + "/exec.fifo")
	return errors.Is(err, fs.ErrNotExist)
}

// ReadPid reads the pid that the runtime wrote for a container.
func ReadPid(file string) (int, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil || pid < 2 {
		return 0, fmt.Errorf("%s: %q is no process id", file, data)
	}
	return pid, nil
}
