package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"slipway/pkg/bundle"
	"slipway/pkg/machine"
	"slipway/pkg/service/control"
	"slipway/pkg/service/guest"
	"slipway/pkg/service/state"
	"slipway/pkg/service/supervisor"
)

func (c *call) client() control.Client {
	if c.control != "" {
		return control.Client{Path: c.control}
	}
	return control.Client{Path: c.paths.RunDir(machine.Control)}
}

// onlyName is the one argument of most commands.
func (c *call) onlyName() (string, error) {
	if len(c.args) != 1 || c.args[0] == "" {
		return "", usageError{c.command + " wants the name of one container"}
	}
	return c.args[0], nil
}

func runStart(c *call) error   { return steer(c, "start") }
func runStop(c *call) error    { return steer(c, "stop") }
func runRestart(c *call) error { return steer(c, "restart") }

// steer asks for it for each service and waits until it is so, or cannot be.
func steer(c *call, verb string) error {
	if len(c.args) == 0 || slices.Contains(c.args, "") {
		return usageError{verb + " wants the names of services"}
	}
	if c.dumpSpec != "" && len(c.args) > 1 {
		return usageError{verb + " -dump-spec wants one service"}
	}
	var before control.List
	if err := c.client().Services(&before); err != nil {
		return err
	}
	var faults error
	for _, name := range c.args {
		faults = errors.Join(faults, c.steerOne(verb, name, before))
	}
	if verb == "stop" && !c.json && !c.quiet {
		faults = errors.Join(faults, c.tellDependents(before))
	}
	return faults
}

func (c *call) steerOne(verb, name string, all control.List) error {
	if c.dumpSpec != "" {
		if err := dumpSpec(c, name); err != nil {
			return err
		}
	}
	options, err := c.request()
	if err != nil {
		return err
	}
	var before, now control.Service
	if i := slices.IndexFunc(all.Services, func(s control.Service) bool { return s.Name == name }); i >= 0 {
		before = all.Services[i]
	}
	if err := c.client().Ask(verb, name, options, &now); err != nil {
		return err
	}
	for pause := 5 * time.Millisecond; !settled(verb, before, now); pause = min(2*pause, 200*time.Millisecond) {
		time.Sleep(pause)
		if now, err = c.look(name); err != nil {
			return err
		}
	}
	return conclude(c, verb, now)
}

// tellDependents names what was stopped because it requires what was to be stopped.
func (c *call) tellDependents(before control.List) error {
	for _, was := range before.Services {
		if !was.State.Up() || slices.Contains(c.args, was.Name) || len(was.Requires) == 0 {
			continue
		}
		now, err := c.look(was.Name)
		if err != nil {
			return err
		}
		if now.State == state.Stopped {
			say(c.out, "%s: stopped too, it requires %s\n", was.Name, strings.Join(was.Requires, ", "))
		}
	}
	return nil
}

// request says where the service is to be looked for, if -path was given.
func (c *call) request() (control.Options, error) {
	if c.paths.Services == "" {
		return control.Options{}, nil
	}
	path, err := filepath.Abs(c.paths.Services)
	if err != nil {
		return control.Options{}, fmt.Errorf("find services: %w", err)
	}
	return control.Options{Path: path}, nil
}

// returnTime is how long a supervisor that was killed may take to come back.
const returnTime = 15 * time.Second

// look asks how a service is. A supervisor that is away comes back to the request,
// which it has kept.
func (c *call) look(name string) (s control.Service, err error) {
	for begin := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		err = c.client().Service(name, &s)
		if !errors.Is(err, control.ErrNoSupervisor) || time.Since(begin) > returnTime {
			return s, err
		}
	}
}

// settled tells whether a request is carried out, or cannot be.
func settled(verb string, before, now control.Service) bool {
	switch {
	case verb == "stop":
		return now.State.Final()
	case verb == "restart" && now.Runs == before.Runs:
		return now.State == state.Failed
	}
	return now.State == state.Ready || now.State.Final() || now.State == state.Backoff
}

func conclude(c *call, verb string, now control.Service) error {
	if c.json {
		if err := writeJSON(c, now); err != nil {
			return err
		}
	}
	switch now.State {
	case state.Failed, state.Backoff:
		if verb != "stop" {
			return fmt.Errorf("%s %s: %s", verb, now.Name, now.Cause)
		}
	case state.Stopped:
		if verb != "stop" {
			return fmt.Errorf("%s %s: it was stopped meanwhile", verb, now.Name)
		}
	}
	if !c.json && !c.quiet {
		say(c.out, "%s: %s\n", now.Name, describe(now))
	}
	return nil
}

func describe(s control.Service) string {
	if s.Pid != 0 {
		return fmt.Sprintf("%s, pid %d", s.State, s.Pid)
	}
	return string(s.State)
}

// dumpSpec writes what the OCI runtime will be given, with an absolute root.
func dumpSpec(c *call, name string) error {
	b, err := bundle.Load(bundle.Services, filepath.Join(c.paths.Section(bundle.Services), name))
	if err != nil {
		return err
	}
	spec := *b.Spec
	root := *spec.Root
	if !filepath.IsAbs(root.Path) {
		root.Path = b.Path(root.Path)
	}
	spec.Root = &root
	text, err := bundle.Encode(&spec, b.Filter)
	if err != nil {
		return err
	}
	var data bytes.Buffer
	if err := json.Indent(&data, text, "", "  "); err != nil {
		return fmt.Errorf("dump spec: %w", err)
	}
	data.WriteByte('\n')
	if err := os.WriteFile(c.dumpSpec, data.Bytes(), 0o644); err != nil {
		return fmt.Errorf("dump spec: %w", err)
	}
	return nil
}

func writeJSON(c *call, v any) error { return encodeJSON(c.out, v) }

func encodeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func jsonFlag(f *flag.FlagSet, o *options) { f.BoolVar(&o.json, "json", false, "as JSON") }

func startFlags(f *flag.FlagSet, o *options) {
	jsonFlag(f, o)
	f.StringVar(&o.dumpSpec, "dump-spec", "", "write the service's OCI spec to `file` before it starts")
}

// fetch asks for all containers. Without a supervisor it says what is known
// from the files that one has left.
func fetch(c *call) (control.List, error) {
	var l control.List
	err := c.client().Services(&l)
	if !errors.Is(err, control.ErrNoSupervisor) {
		return l, err
	}
	l, readErr := offline(c.paths)
	if readErr != nil {
		return l, err
	}
	say(os.Stderr, "service: %s; this is what it left\n", control.ErrNoSupervisor)
	return l, nil
}

func offline(p guest.Paths) (control.List, error) {
	l := control.List{Steps: supervisor.Steps(p)}
	files, err := filepath.Glob(p.RunDir("services", "*.json"))
	if err != nil {
		return l, err
	}
	for _, file := range files {
		var r state.Record
		if err := machine.ReadJSON(file, &r); err != nil {
			return l, err
		}
		r.Rebase(supervisor.Clocks())
		l.Services = append(l.Services, control.Service{Name: r.Name, State: r.State, Cause: r.Cause,
			Since: r.Since, Pid: r.Proc.Pid, Started: r.StartedAt, Restarts: r.Restarts, Runs: r.Run,
			Exits: r.Exits, LastExit: r.LastExit, History: r.History})
	}
	if len(l.Services)+len(l.Steps) == 0 {
		return l, fs.ErrNotExist
	}
	return l, nil
}
