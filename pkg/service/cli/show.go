package cli

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/bundle"
	"slipway/pkg/container/memory"
	"slipway/pkg/service/control"
)

func runList(c *call) error {
	l, err := fetch(c)
	if err != nil {
		return err
	}
	if c.json {
		return writeJSON(c, l)
	}
	if len(l.Steps)+len(l.Services) == 0 {
		c.nothing("this machine has no containers")
	}
	say(c.out, "%s", control.Table(l, terminalWidth()))
	return nil
}

// runStatus shows one container, or all.
func runStatus(c *call) error {
	if len(c.args) == 0 {
		return runList(c)
	}
	name, err := c.onlyName()
	if err != nil {
		return err
	}
	l, err := fetch(c)
	if err != nil {
		return err
	}
	var names []string
	for _, s := range l.Services {
		if s.Name == name {
			return showService(c, s)
		}
		names = append(names, s.Name)
	}
	for _, s := range l.Steps {
		if s.Name == name || bundle.ShortName(bundle.Section(s.Section), s.Name) == name {
			return showStep(c, s)
		}
		names = append(names, s.Name)
	}
	return unknownName(name, names)
}

func unknownName(name string, names []string) error {
	if near := bundle.Nearest(name, names); near != "" {
		return fmt.Errorf("no container %q; did you mean %q?", name, near)
	}
	return fmt.Errorf("no container %q; service list shows all", name)
}

func showStep(c *call, s control.Step) error {
	if c.json {
		return writeJSON(c, s)
	}
	pairs(c, "name", s.Name, "section", s.Section, "state", s.State,
		"result", s.Result, "took", control.Duration(s.Took))
	section := bundle.Section(s.Section)
	if b, err := bundle.Load(section, filepath.Join(c.paths.Section(section), s.Name)); err == nil {
		pairs(c, "image", b.Image())
	}
	return nil
}

func showService(c *call, s control.Service) error {
	if c.json {
		return writeJSON(c, s)
	}
	pairs(c, "name", s.Name, "state", fmt.Sprintf("%s since %s", s.State, ago(s.Since)),
		"cause", s.Cause, "waits for", s.WaitsFor, "start hangs", s.Hangs, "pid", number(s.Pid), "runtime", s.Runtime,
		"started", when(s.Started), "probe", s.Probe, "ready after", seconds(s.Ready),
		"runs", number(s.Runs), "restarts", fmt.Sprint(s.Restarts),
		"after", strings.Join(without(s.After, s.Requires), ", "), "requires", strings.Join(s.Requires, ", "))
	if s.Pid != 0 {
		pairs(c, "memory", memory.Size(s.Memory)+", "+memory.Size(s.Files)+" of it in files in memory", "cpu", seconds(s.CPU), "tasks", fmt.Sprint(s.Tasks))
	}
	c.showBundle(s.Name)
	for _, e := range slices.Backward(s.History) {
		pairs(c, "exit", fmt.Sprintf("%s  run %d: %s", when(e.Time), e.Run, e.Cause))
	}
	c.showLast(s.Name)
	return nil
}

func without(names, others []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return slices.Contains(others, n) })
}

// pairs writes lines of a key and a value; those without a value are left out.
func pairs(c *call, kv ...string) {
	for i := 0; i+1 < len(kv); i += 2 {
		if kv[i+1] != "" {
			say(c.out, "%-12s %s\n", kv[i], kv[i+1])
		}
	}
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

func seconds(s float64) string {
	if s == 0 {
		return ""
	}
	return fmt.Sprintf("%.3fs", s)
}

func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05.000")
}

func ago(t time.Time) string {
	if t.IsZero() {
		return "the boot"
	}
	return fmt.Sprintf("%s (%s)", when(t), control.Duration(time.Since(t)))
}

// terminalWidth is 0 when nothing is known of a terminal.
func terminalWidth() int {
	size, err := unix.IoctlGetWinsize(1, unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	return int(size.Col)
}
