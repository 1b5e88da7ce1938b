package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/service/control"
	"slipway/pkg/service/state"
	"slipway/test/soak/look"
)

// idle does nothing, in a process that can be told by its name.
func idle([]string) error {
	for {
		time.Sleep(time.Hour)
	}
}

// names are the services of the machine for commands. "needs" requires "base".
var names = []string{"base", "needs", "other"}

// commands sends random commands, kills what they are about and the supervisor,
// and looks, after each few, whether the machine is in a state that the model
// allows. Words are the seed and how many.
func commands(words []string) error {
	seed, err := strconv.ParseUint(words[0], 10, 64)
	if err != nil {
		return err
	}
	count, err := strconv.Atoi(words[1])
	if err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(seed, 11))
	if err := until("the services", func() error { return allReady(names...) }); err != nil {
		return err
	}
	if err := calm(); err != nil {
		return err
	}
	l := look.Look{Dirs: []string{"/run/runc", "/run/slipway/containers"}, Files: map[string]int{"PID 1": 1}}
	before, err := l.Take()
	if err == nil {
		err = ask("start", "crash")
	}
	if err != nil {
		return err
	}
	for i := range count {
		say("TRY %d", i+1)
		var told []string
		for range 3 + r.IntN(8) {
			told = append(told, command(r))
			time.Sleep(time.Duration(r.IntN(700)) * time.Millisecond)
		}
		if err := settled(); err != nil {
			say("FAULT sequence %d, %s: %v", i+1, strings.Join(told, ", "), err)
			continue
		}
		say("OK %s", strings.Join(told, ", "))
	}
	return asBefore(l, before)
}

// calm ends the service that crashes without end.
func calm() error {
	if err := ask("stop", "crash"); err != nil {
		return err
	}
	return until("the end of crash", func() error { return down("crash") })
}

// asBefore goes back to the image's supervisor, starts all again and wants the
// machine as it was.
func asBefore(l look.Look, before []string) error {
	if out, err := exec.Command("/usr/bin/service", "upgrade", "-back").CombinedOutput(); err != nil {
		say("upgrade -back: %v: %.200s", err, out) // nothing to go back from
	}
	for _, name := range names {
		if err := ask("start", name); err != nil {
			return err
		}
	}
	if err := until("the services", func() error { return allReady(names...) }); err != nil {
		return err
	}
	return errors.Join(calm(), l.Same(before, 2*time.Minute))
}

func ask(verb, name string) error {
	return client.Ask(verb, name, control.Options{}, &control.Service{})
}

// command does one random thing, and says what.
func command(r *rand.Rand) string {
	name := names[r.IntN(len(names))]
	switch what := r.IntN(10); what {
	case 0, 1, 2, 3, 4, 5:
		verb := []string{"start", "stop", "restart"}[what%3]
		return fmt.Sprint(verb, " ", name, result(ask(verb, name)))
	case 6, 7:
		s, err := service(name)
		if err == nil && s.Pid > 1 {
			err = unix.Kill(s.Pid, unix.SIGKILL)
		}
		return fmt.Sprint("kill -9 ", name, result(err))
	case 8:
		out, err := exec.Command("/usr/bin/service", "upgrade", "/usr/bin/service").CombinedOutput()
		return fmt.Sprintf("upgrade%s %.100s", result(err), out)
	}
	all, err := services()
	if err == nil && all.Supervisor.Pid > 1 {
		err = unix.Kill(all.Supervisor.Pid, unix.SIGKILL)
	}
	return "kill -9 the supervisor" + result(err)
}

func result(err error) string {
	if err == nil {
		return ""
	}
	return " (" + err.Error() + ")"
}

// settled waits until every service rests, and wants the machine to hold what the
// states say: a process for each that is up, none for the others, and nobody up
// whose requirement is down.
func settled() error {
	return until("a state that the model allows", func() error {
		states := map[string]control.Service{}
		for _, name := range names {
			s, err := service(name)
			if err != nil {
				return err
			}
			states[name] = s
			running := processesOf(name)
			switch {
			case !s.State.Final() && s.State != state.Ready && s.State != state.Waiting:
				return fmt.Errorf("%s does not rest: %s", name, s.State)
			case s.State == state.Ready && (len(running) != 1 || running[0] != s.Pid):
				return fmt.Errorf("%s is ready with pid %d; its processes are %v", name, s.Pid, running)
			case s.State != state.Ready && len(running) > 0:
				return fmt.Errorf("%s is %s; its processes are %v", name, s.State, running)
			}
		}
		if states["needs"].State == state.Ready && states["base"].State != state.Ready {
			return fmt.Errorf("needs is ready, and base %s", states["base"].State)
		}
		return legal()
	})
}

// processesOf finds the idle processes of a service.
func processesOf(name string) (pids []int) {
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return nil
	}
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err == nil && string(line) == "/bin/soak\x00idle\x00"+name+"\x00" {
			if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// legal reads all events: each goes on from the one before, by a transition that
// there is.
func legal() error {
	last := map[string]state.Transition{}
	for _, file := range []string{"/run/slipway/events.jsonl.0", "/run/slipway/events.jsonl"} {
		data, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(data)) {
			var e state.Transition
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				return fmt.Errorf("event %q: %w", line, err)
			}
			before, known := last[e.Name]
			last[e.Name] = e
			if known && (e.Seq != before.Seq+1 || e.From != before.To || !state.Legal(e.From, e.To)) {
				return fmt.Errorf("event %+v follows %+v", e, before)
			}
		}
	}
	return nil
}
