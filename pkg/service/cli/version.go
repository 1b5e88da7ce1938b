package cli

import (
	"errors"
	"fmt"
	"strings"

	"os"

	"slipway/pkg/service/control"
	"slipway/pkg/service/guest"
	"slipway/pkg/service/supervisor"
	"slipway/pkg/version"
)

// program is one of this project's, as it lies on disk or runs.
type program struct {
	Version string `json:"version,omitempty"`
	Commit  string `json:"commit,omitempty"`
	Tree    string `json:"tree,omitempty"` // "clean" or "changed"
	Build   string `json:"build"`
	Path    string `json:"path"`
	Pid     int    `json:"pid,omitempty"`
	// Services is how many a program that was tried has found.
	Services int `json:"services,omitempty"`
}

func (p program) String() string {
	text := fmt.Sprintf("build %s, %s", p.Build, programPath(p))
	if p.Pid != 0 {
		text += fmt.Sprintf(", pid %d", p.Pid)
	}
	return text
}

// thisProgram is the one that runs here.
func thisProgram() (program, error) {
	build, err := guest.BuildOf("/proc/self/exe")
	v := version.This()
	return program{Version: v.Version, Commit: v.Commit, Tree: v.Tree(), Build: build, Path: selfPath()}, err
}

// supervisorProgram is the one that the supervisor runs. If it is the file of self, it
// is not summed up once more: without the processor's help that takes half a second.
func supervisorProgram(c control.Client, self program) (program, error) {
	pid, err := c.Peer()
	if err != nil {
		return program{}, err
	}
	exe := fmt.Sprintf("/proc/%d/exe", pid)
	build := self.Build
	if build == "" || !sameFile(exe, "/proc/self/exe") {
		if build, err = guest.BuildOf(exe); err != nil {
			return program{}, err
		}
	}
	path, err := os.Readlink(exe)
	if err != nil {
		return program{}, fmt.Errorf("find supervisor: %w", err)
	}
	return program{Build: build, Path: strings.TrimSuffix(path, " (deleted)"), Pid: pid}, nil
}

func sameFile(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

// programPath is where the keeper looks for the supervisor's program. One that runs
// from a mount that is gone does not know any more.
func programPath(p program) string {
	if info, err := os.Stat(p.Path); err == nil && info.Mode().IsRegular() {
		return p.Path
	}
	return selfPath()
}

func runVersion(c *call) error {
	self, err := thisProgram()
	if err != nil {
		return err
	}
	sup, err := supervisorProgram(c.client(), self)
	if err != nil && !errors.Is(err, control.ErrNoSupervisor) {
		return err
	}
	if c.json {
		return writeJSON(c, map[string]program{"service": self, "supervisor": sup})
	}
	pairs(c, "service", fmt.Sprintf("%s, %s", version.This(), self))
	switch {
	case err != nil:
		pairs(c, "supervisor", "does not answer")
	case sup.Build == self.Build:
		pairs(c, "supervisor", fmt.Sprintf("the same, pid %d", sup.Pid))
	default:
		pairs(c, "supervisor", "another: "+sup.String())
	}
	return nil
}

// runTry is what an upgrade asks a new program for before it trusts it: to run
// on this machine at all, and to read the bundles and what is known of them.
func runTry(c *call) error {
	self, err := thisProgram()
	if err != nil {
		return err
	}
	if self.Services, err = supervisor.Try(c.paths); err != nil {
		return err
	}
	return writeJSON(c, self)
}
