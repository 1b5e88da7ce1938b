package bundle

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Prefix marks the annotations that are ours; all others are left alone.
const Prefix = "slipway."

// Policy is what the user wants to happen to a container beyond running it. It
// comes from OCI annotations, which LinuxKit's builder passes through, so that
// a YAML file with a policy stays valid for LinuxKit's own tool.
type Policy struct {
	Restart         Restart
	RestartDelay    time.Duration // first pause before a restart; doubles each time
	RestartMaxDelay time.Duration // longest pause
	RestartLimit    Limit         // zero: no limit

	After    []string // services that must be ready first
	Requires []string // as After, and this one fails or stops with them

	Ready          Probe
	ReadyTimeout   time.Duration
	Health         Probe // zero Kind: none
	HealthInterval time.Duration

	Timeout   time.Duration // longest run of an onboot or onshutdown container; 0: none
	OnFailure OnFailure

	StopSignal  int           // Linux signal number
	StopTimeout time.Duration // from StopSignal to the kill of the whole cgroup

	Log         LogTarget
	LogMaxSize  int64 // bytes of one log file before it is rotated
	LogMaxFiles int   // rotated files kept

	Upper Upper
}

// Restart says when a service that ended is started again.
type Restart string

// The restart policies; RestartOnFailure is the default.
const (
	RestartNo        Restart = "no"
	RestartOnFailure Restart = "on-failure"
	RestartAlways    Restart = "always"
)

// OnFailure says what a container's failure means for the machine.
type OnFailure string

// What may follow a failure; Continue, as LinuxKit does, is the default.
const (
	Continue OnFailure = "continue"
	Stop     OnFailure = "stop"
	Reboot   OnFailure = "reboot"
	Poweroff OnFailure = "poweroff"
)

// LogTarget says where a container's output goes.
type LogTarget string

// The log targets; LogFile is the default.
const (
	LogFile    LogTarget = "file"
	LogConsole LogTarget = "console"
	LogKmsg    LogTarget = "kmsg"
	LogNone    LogTarget = "none"
)

// Limit is a number of restarts within a window of time.
type Limit struct {
	Count  int
	Window time.Duration
}

// ProbeKind says how readiness or health is found out.
type ProbeKind string

// The kinds of probe. Started needs nothing but a running process.
const (
	ProbeStarted ProbeKind = "started"
	ProbeNotify  ProbeKind = "notify"
	ProbeTCP     ProbeKind = "tcp"
	ProbeUnix    ProbeKind = "unix"
	ProbeHTTP    ProbeKind = "http"
	ProbeFile    ProbeKind = "file"
	ProbeExec    ProbeKind = "exec"
)

// Probe is a way to find out whether a container is ready or healthy.
type Probe struct {
	Kind ProbeKind
	Port int    // tcp, http
	Path string // unix, http, file
	// Command is what exec runs in the container, split at white space.
	Command []string
}

// Upper says where the writable layer of a read-write container lies.
type Upper struct {
	Disk string // folder on a disk; empty: a tmpfs
	Size string // size= of the tmpfs, as in tmpfs(5); empty: the default
}

// DefaultPolicy is the policy of a container without annotations.
func DefaultPolicy(s Section) Policy {
	p := Policy{
		Restart:         RestartOnFailure,
		RestartDelay:    100 * time.Millisecond,
		RestartMaxDelay: 30 * time.Second,
		Ready:           Probe{Kind: ProbeStarted},
		ReadyTimeout:    60 * time.Second,
		HealthInterval:  10 * time.Second,
		OnFailure:       Continue,
		StopSignal:      signals["SIGTERM"],
		StopTimeout:     10 * time.Second,
		Log:             LogFile,
		LogMaxSize:      1 << 20,
		LogMaxFiles:     10,
	}
	if s == Onshutdown {
		p.Timeout = 60 * time.Second
	}
	return p
}

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
	"health":            {onlyServices, func(p *Policy, v string) (err error) { p.Health, err = ParseProbe(v); return }},
	"health-interval":   {onlyServices, duration(func(p *Policy) *time.Duration { return &p.HealthInterval })},
	"timeout":           {steps, duration(func(p *Policy) *time.Duration { return &p.Timeout })},
	"on-failure":        {bootAndRun, oneOf(func(p *Policy) *OnFailure { return &p.OnFailure }, Continue, Stop, Reboot, Poweroff)},
	"stop-signal":       {onlyServices, func(p *Policy, v string) (err error) { p.StopSignal, err = ParseSignal(v); return }},
	"stop-timeout":      {onlyServices, duration(func(p *Policy) *time.Duration { return &p.StopTimeout })},
	"log":               {everywhere, oneOf(func(p *Policy) *LogTarget { return &p.Log }, LogFile, LogConsole, LogKmsg, LogNone)},
	"log-max-size":      {everywhere, func(p *Policy, v string) (err error) { p.LogMaxSize, err = parseSize(v); return }},
	"log-max-files":     {everywhere, func(p *Policy, v string) (err error) { p.LogMaxFiles, err = parseCount(v); return }},
	"upper":             {everywhere, func(p *Policy, v string) (err error) { p.Upper, err = parseUpper(v); return }},
}

// PolicyError is a fault in one annotation.
type PolicyError struct {
	Key, Value string
	Reason     string
}

func (e *PolicyError) Error() string {
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
		value := annotations[name]
		if err := p.set(s, strings.TrimPrefix(name, Prefix), strings.TrimSpace(value)); err != nil {
			faults = append(faults, &PolicyError{Key: name, Value: value, Reason: err.Error()})
		}
	}
	if p.RestartMaxDelay < p.RestartDelay {
		p.RestartMaxDelay = p.RestartDelay
	}
	return p, errors.Join(faults...)
}

func (p *Policy) set(s Section, name, value string) error {
	k, known := keys[name]
	switch {
	case !known:
		return fmt.Errorf("unknown key; known are %s", strings.Join(PolicyKeys(s), ", "))
	case !slices.Contains(k.sections, s):
		return fmt.Errorf("has no meaning in %s", s)
	}
	return k.set(p, value)
}

func oneOf[T ~string](field func(*Policy) *T, allowed ...T) func(*Policy, string) error {
	return func(p *Policy, v string) error {
		if !slices.Contains(allowed, T(v)) {
			return fmt.Errorf("want one of %q", allowed)
		}
		*field(p) = T(v)
		return nil
	}
}

func duration(field func(*Policy) *time.Duration) func(*Policy, string) error {
	return func(p *Policy, v string) error {
		d, err := time.ParseDuration(v)
		if err != nil || d <= 0 {
			return errors.New(`want a duration above zero, such as "1m30s"`)
		}
		*field(p) = d
		return nil
	}
}

func names(field func(*Policy) *[]string) func(*Policy, string) error {
	return func(p *Policy, v string) error {
		list := strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' })
		if len(list) == 0 {
			return errors.New("want names of services, separated by commas")
		}
		*field(p) = list
		return nil
	}
}

func parseLimit(v string) (Limit, error) {
	n, window, ok := strings.Cut(v, "/")
	count, err := strconv.Atoi(strings.TrimSpace(n))
	if !ok || err != nil || count < 1 {
		return Limit{}, errors.New(`want N/duration, such as "5/1m"`)
	}
	d, err := time.ParseDuration(strings.TrimSpace(window))
	if err != nil || d <= 0 {
		return Limit{}, errors.New(`want N/duration, such as "5/1m"`)
	}
	return Limit{Count: count, Window: d}, nil
}

// ParseProbe reads a probe as written in slipway.ready and slipway.health.
func ParseProbe(v string) (Probe, error) {
	kind, arg, _ := strings.Cut(v, ":")
	p := Probe{Kind: ProbeKind(kind)}
	var err error
	switch p.Kind {
	case ProbeStarted, ProbeNotify:
		if arg != "" {
			err = fmt.Errorf("%s takes no argument", kind)
		}
	case ProbeTCP:
		p.Port, err = parsePort(arg)
	case ProbeHTTP:
		port, rest, _ := strings.Cut(arg, "/")
		p.Path = "/" + rest
		p.Port, err = parsePort(port)
	case ProbeUnix, ProbeFile:
		p.Path = arg
		if !path.IsAbs(arg) {
			err = fmt.Errorf("%s wants an absolute path", kind)
		}
	case ProbeExec:
		if p.Command = strings.Fields(arg); len(p.Command) == 0 {
			err = errors.New("exec wants a command")
		}
	default:
		err = errors.New("want started, notify, tcp:PORT, unix:PATH, http:PORT/PATH, file:PATH or exec:COMMAND")
	}
	if err != nil {
		return Probe{}, err
	}
	return p, nil
}

func parsePort(v string) (int, error) {
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > 65535 {
		return 0, errors.New("want a port from 1 to 65535")
	}
	return n, nil
}

func parseCount(v string) (int, error) {
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 {
		return 0, errors.New("want a number, 0 or more")
	}
	return n, nil
}

// parseSize reads a number of bytes with an optional k, M or G (powers of 1024).
func parseSize(v string) (int64, error) {
	shift, digits := 0, v
	if n := len(v); n > 0 {
		switch v[n-1] {
		case 'k', 'K':
			shift, digits = 10, v[:n-1]
		case 'm', 'M':
			shift, digits = 20, v[:n-1]
		case 'g', 'G':
			shift, digits = 30, v[:n-1]
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 1 || n > (1<<62)>>shift {
		return 0, errors.New(`want a size such as "512k", "10M" or "1G"`)
	}
	return n << shift, nil
}

func parseUpper(v string) (Upper, error) {
	kind, arg, has := strings.Cut(v, ":")
	switch {
	case kind == "tmpfs" && !has:
		return Upper{}, nil
	case kind == "tmpfs" && validTmpfsSize(arg):
		return Upper{Size: arg}, nil
	case kind == "tmpfs":
		return Upper{}, errors.New(`want a tmpfs size such as "64M" or "25%"`)
	case kind == "disk" && path.IsAbs(arg) && path.Clean(arg) != "/":
		return Upper{Disk: path.Clean(arg)}, nil
	case kind == "disk":
		return Upper{}, errors.New("disk wants an absolute path of a folder")
	}
	return Upper{}, errors.New(`want "tmpfs", "tmpfs:SIZE" or "disk:PATH"`)
}

// validTmpfsSize keeps a value from smuggling further mount options in.
func validTmpfsSize(v string) bool {
	if n, ok := strings.CutSuffix(v, "%"); ok {
		percent, err := strconv.Atoi(n)
		return err == nil && percent >= 1 && percent <= 100
	}
	_, err := parseSize(v)
	return err == nil
}
