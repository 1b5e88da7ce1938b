package boot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/machine"
	"slipway/pkg/port"
)

// Directories whose files are run, one by one.
const (
	initDir     = "/etc/init.d"
	shutdownDir = "/etc/shutdown.d"
)

// serviceProgram is what our own entries of these directories link to.
const serviceProgram = "/usr/bin/service"

// Script is one entry of such a directory.
type Script struct {
	Path string
	// Supervisor: it stands for the services, which PID 1 sees to itself.
	Supervisor bool
	// Own is a part of our own program, which names what it waits for itself.
	Own bool
	// Volumes: it makes the volumes ready.
	Volumes bool
	// Containers: it is one of those that run containers, and tells how each ended
	// itself.
	Containers bool
}

// Scripts lists what to run in dir: the files that are regular after following
// links, by name. A directory that does not exist has none.
func Scripts(dir string) ([]Script, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list scripts: %w", err)
	}
	// As a cpio of LinuxKit's own tool has it, one of two hard links may lead to the other.
	program, err := filepath.EvalSymlinks(serviceProgram)
	if err != nil {
		program = serviceProgram
	}
	var list []Script
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		info, err := os.Stat(name)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		s := Script{Path: name}
		if target, err := filepath.EvalSymlinks(name); err == nil && target == program {
			s.Own = true
			s.Supervisor = strings.Contains(e.Name(), "containerd") || strings.Contains(e.Name(), "services")
			s.Volumes = strings.Contains(e.Name(), "volumes")
			s.Containers = strings.Contains(e.Name(), "onboot") || strings.Contains(e.Name(), "onshutdown")
		}
		list = append(list, s)
	}
	return list, nil
}

// runScripts runs a directory, each entry after the one before it has ended. How one
// ends is told, but does not stop the others: images in the field have scripts
// that fail.
func (m *Machine) runScripts(ctx context.Context, dir string) {
	list, err := Scripts(dir)
	m.warn(dir, err)
	for _, s := range list {
		if ctx.Err() != nil {
			return
		}
		if s.Supervisor {
			m.startSupervisor(ctx)
			continue
		}
		if s.Volumes && noVolumes(volumesDir, machine.Run) {
			continue
		}
		stop := func() {}
		if !s.Own {
			if dir == shutdownDir {
				m.foreign.Add(1)
			}
			stop = m.remind(s.Path)
		}
		m.begins(dir, s)
		err := m.runScript(ctx, s)
		stop()
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			m.Console.Printf("%s: not waited for any longer", s.Path)
			err = errLeft
		} else {
			m.warn(s.Path, err)
		}
		m.ended(dir, s, err)
	}
}

// volumesDir is where the builder puts volumes.
const volumesDir = "/containers/volumes"

// noVolumes tells that the script for volumes has nothing to do, so that its program need not be
// started: there are none below dir, and the files for the host have their filesystem below run. Where
// its mount has failed the script tries again, whose failure the host hears of.
func noVolumes(dir, run string) bool {
	entries, err := os.ReadDir(dir)
	if len(entries) > 0 || err != nil && !errors.Is(err, os.ErrNotExist) {
		return false
	}
	var own, above unix.Stat_t
	err = errors.Join(unix.Stat(filepath.Join(run, machine.Output), &own), unix.Stat(run, &above))
	return err == nil && own.Dev != above.Dev
}

// errLeft is that of a script that runs on: its time on the way down is over, or
// the way down has begun.
var errLeft = errors.New("not done in its time")

// begins tells the supervisor which script is waited for from now on, if it is one
// that does not tell by itself.
func (m *Machine) begins(dir string, s Script) {
	if dir == initDir && !s.Own {
		m.scripts.Running = s.Path
		m.noteScripts()
	}
}

// ended tells of a script that has failed: the supervisor, whose report to the host
// it is a part of, or on the way down, when that report is made already, the host.
func (m *Machine) ended(dir string, s Script, err error) {
	if dir == initDir && errors.Is(err, errLeft) {
		return // the machine goes down
	}
	if dir == initDir && m.scripts.Running != "" {
		m.scripts.Running = ""
		defer m.noteScripts()
	}
	if err == nil || s.Containers {
		return
	}
	fault := fmt.Sprintf("%s: %s", s.Path, strings.ReplaceAll(err.Error(), "\n", ", "))
	if dir == shutdownDir {
		m.warn("tell the host", m.port.Send(port.Message{Failed: []string{fault}}, portEnd))
		return
	}
	m.scripts.Failed = append(m.scripts.Failed, fault)
}

// noteScripts leaves word of how far /etc/init.d has come.
func (m *Machine) noteScripts() {
	m.warn("scripts", m.scripts.Write(machine.Run))
}

// scriptReminder is how long a script may take before the console says that it is
// waited for; it says so again each time it has taken twice as long.
const scriptReminder = 5 * time.Second

// remind does so until the returned function is called.
func (m *Machine) remind(name string) (stop func()) {
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		defer m.guard("reminder")
		for pause, took := scriptReminder, scriptReminder; ; took += pause {
			select {
			case <-ctx.Done():
				return
			case <-time.After(pause):
			}
			m.Console.Printf("waiting for %s (for %s)", name, took)
			pause = min(took, 5*time.Minute)
		}
	}()
	return stop
}

// runScript runs one script to its end. If ctx ends first it leaves it running:
// the shutdown ends all processes alike.
func (m *Machine) runScript(ctx context.Context, s Script) error {
	cmd := m.children.command([]string{s.Path})
	if s.Own {
		m.port.Hand(cmd, 0)
	}
	p, err := m.children.start(cmd)
	if err != nil {
		return err
	}
	return wait(ctx, p)
}
