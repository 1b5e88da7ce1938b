package boot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Folders whose files are run, one by one.
const (
	initDir     = "/etc/init.d"
	shutdownDir = "/etc/shutdown.d"
)

// serviceProgram is what our own entries of these folders link to.
const serviceProgram = "/usr/bin/service"

// Script is one entry of such a folder.
type Script struct {
	Path string
	// Supervisor: it stands for the services, which PID 1 sees to itself.
	Supervisor bool
	// Own is a part of our own program, which names what it waits for itself.
	Own bool
}

// Scripts lists what to run in dir: the files that are regular after following
// links, by name. A folder that does not exist has none.
func Scripts(dir string) ([]Script, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list scripts: %w", err)
	}
	var scripts []Script
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		info, err := os.Stat(name)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		s := Script{Path: name}
		if target, err := filepath.EvalSymlinks(name); err == nil && target == serviceProgram {
			s.Own = true
			s.Supervisor = strings.Contains(e.Name(), "containerd") || strings.Contains(e.Name(), "services")
		}
		scripts = append(scripts, s)
	}
	return scripts, nil
}

// runScripts runs a folder, each entry after the one before it has ended. How one
// ends is told, but does not stop the others: images in the field have scripts
// that fail.
func (m *Machine) runScripts(ctx context.Context, dir string) {
	scripts, err := Scripts(dir)
	m.warn(dir, err)
	for _, s := range scripts {
		if ctx.Err() != nil {
			return
		}
		if s.Supervisor {
			m.startSupervisor(ctx)
			continue
		}
		stop := func() {}
		if !s.Own {
			if dir == shutdownDir {
				m.foreign.Add(1)
			}
			stop = m.remind(s.Path)
		}
		m.warn(s.Path, m.runScript(ctx, s))
		stop()
	}
}

// scriptPatience is how long a script may take before the console says that it is
// waited for; it says so again each time it has taken twice as long.
const scriptPatience = 5 * time.Second

// remind does so until the returned function is called.
func (m *Machine) remind(name string) (stop func()) {
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		defer m.guard("reminder")
		for pause, took := scriptPatience, scriptPatience; ; took += pause {
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
	err = wait(ctx, p)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		m.Console.Printf("%s: not waited for any longer", s.Path)
		return nil
	}
	return err
}
