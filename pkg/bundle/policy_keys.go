package bundle

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// key is one annotation: the sections it may stand in and how its value is read.
type key struct {
	sections []Section
	set      func(*Policy, string) error
}

var (
	onlyServices = []Section{Services}
	steps        = []Section{Onboot, Onshutdown}
	bootAndRun   = []Section{Onboot, Services}
	everywhere   = []Section{Onboot, Onshutdown, Services}
)

var keys = map[string]key{
	"restart":           {onlyServices, oneOf(func(p *Policy) *Restart { return &p.Restart }, RestartNo, RestartOnFailure, RestartAlways)},
	"restart-delay":     {onlyServices, duration(func(p *Policy) *time.Duration { return &p.RestartDelay })},
	"restart-max-delay": {onlyServices, duration(func(p *Policy) *time.Duration { return &p.RestartMaxDelay })},
	"restart-limit":     {onlyServices, func(p *Policy, v string) (err error) { p.RestartLimit, err = parseLimit(v); return }},
	"after":             {onlyServices, names(func(p *Policy) *[]string { return &p.After })},
	"requires":          {onlyServices, names(func(p *Policy) *[]string { return &p.Requires })},
	"ready":             {bootAndRun, func(p *Policy, v string) (err error) { p.Ready, err = ParseProbe(v); return }},
	"ready-timeout":     {bootAndRun, duration(func(p *Policy) *time.Duration { return &p.ReadyTimeout })},
	"health":            {onlyServices, func(p *Policy, v string) (err error) { p.Health, err = parseHealth(v); return }},
	"health-interval":   {onlyServices, duration(func(p *Policy) *time.Duration { return &p.HealthInterval })},
	"watchdog":          {onlyServices, func(p *Policy, v string) (err error) { p.Watchdog, err = parseBool(v); return }},
	"timeout":           {steps, duration(func(p *Policy) *time.Duration { return &p.Timeout })},
	"on-failure":        {bootAndRun, oneOf(func(p *Policy) *OnFailure { return &p.OnFailure }, Continue, Stop, Reboot, Poweroff)},
	"stop-signal":       {onlyServices, func(p *Policy, v string) (err error) { p.StopSignal, err = ParseSignal(v); return }},
	"stop-timeout":      {onlyServices, duration(func(p *Policy) *time.Duration { return &p.StopTimeout })},
	"log":               {everywhere, oneOf(func(p *Policy) *LogTarget { return &p.Log }, LogFile, LogConsole, LogKmsg, LogNone)},
	"log-max-size":      {everywhere, func(p *Policy, v string) (err error) { p.LogMaxSize, err = parseSize(v); return }},
	"log-max-files":     {everywhere, func(p *Policy, v string) (err error) { p.LogMaxFiles, err = parseCount(v); return }},
	"seccomp":           {everywhere, func(p *Policy, v string) (err error) { p.Seccomp, err = parseSeccomp(v); return }},
	"runtime":           {everywhere, func(p *Policy, v string) (err error) { p.Runtime, err = ParseRuntime(v); return }},
	"upper":             {everywhere, func(p *Policy, v string) (err error) { p.Upper, err = parseUpper(v); return }},
	"pids":              {everywhere, func(p *Policy, v string) (err error) { p.Pids, err = parsePids(v); return }},
}

// PolicyError is a fault in one annotation.
type PolicyError struct {
	Key, Value string
	Reason     string
	// Nearest is the key that was probably meant, if Key is none.
	Nearest string
}

func (e *PolicyError) Error() string {
	if e.Nearest != "" {
		return fmt.Sprintf("annotation %s: %s; did you mean %q?", e.Key, e.Reason, e.Nearest)
	}
	return fmt.Sprintf("annotation %s: %q: %s", e.Key, e.Value, e.Reason)
}

// PolicyKeys lists the annotations that containers of a section may carry.
func PolicyKeys(s Section) []string {
	var all []string
	for name, k := range keys {
		if slices.Contains(k.sections, s) {
			all = append(all, Prefix+name)
		}
	}
	slices.Sort(all)
	return all
}

// ParsePolicy reads the annotations of a container. Every fault is a
// *PolicyError, and all of them are joined in the error.
func ParsePolicy(s Section, annotations map[string]string) (Policy, error) {
	p := DefaultPolicy(s)
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(annotations)) {
		if !strings.HasPrefix(name, Prefix) {
			continue
		}
		if fault := p.set(s, name, annotations[name]); fault != nil {
			faults = append(faults, fault)
		}
	}
	if fault := p.pauses(annotations); fault != nil {
		faults = append(faults, fault)
	}
	return p, errors.Join(faults...)
}

func (p *Policy) set(s Section, name, value string) *PolicyError {
	fault := &PolicyError{Key: name, Value: value}
	k, known := keys[strings.TrimPrefix(name, Prefix)]
	switch {
	case !known:
		fault.Reason = "unknown key"
		if fault.Nearest = nearestKey(s, name); fault.Nearest == "" {
			fault.Reason += "; known are " + strings.Join(PolicyKeys(s), ", ")
		}
	case !slices.Contains(k.sections, s):
		fault.Reason = fmt.Sprintf("has no meaning in %s", s)
	default:
		err := k.set(p, strings.TrimSpace(value))
		if err == nil {
			return nil
		}
		fault.Reason = err.Error()
	}
	return fault
}

// nearestKey compares without the prefix, which all keys have in common.
func nearestKey(s Section, name string) string {
	var short []string
	for _, known := range PolicyKeys(s) {
		short = append(short, strings.TrimPrefix(known, Prefix))
	}
	near := Nearest(strings.TrimPrefix(name, Prefix), short)
	if near == "" {
		return ""
	}
	return Prefix + near
}

// pauses makes the longest pause at least as long as the first. Who writes both
// the wrong way round has made a mistake.
func (p *Policy) pauses(annotations map[string]string) *PolicyError {
	if p.RestartMaxDelay >= p.RestartDelay {
		return nil
	}
	const key = Prefix + "restart-max-delay"
	if value, written := annotations[key]; written {
		return &PolicyError{Key: key, Value: value, Reason: fmt.Sprintf("is less than the first pause, %s", p.RestartDelay)}
	}
	p.RestartMaxDelay = p.RestartDelay
	return nil
}
