package bundle

import (
	"fmt"
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
	Watchdog       bool // the machine's watchdog is fed only while it is up

	Timeout   time.Duration // longest run of an onboot or onshutdown container; 0: none
	OnFailure OnFailure

	StopSignal  int           // Linux signal number
	StopTimeout time.Duration // from StopSignal to the kill of the whole cgroup

	Log         LogTarget
	LogMaxSize  int64 // bytes of one log file before it is rotated
	LogMaxFiles int   // rotated files kept

	Upper Upper

	// Seccomp is what the builder has put into config.json: SeccompDefault,
	// SeccompUnconfined, or the path of a profile.
	Seccomp string

	// Runtime is the OCI runtime that the container asks for, as ParseRuntime has it;
	// "": the machine's.
	Runtime string

	// Pids is how many processes and threads the container may have; 0: what
	// the machine gives to each, NoLimit: as many as all containers together.
	Pids int64
}

// Values of Policy.Seccomp that are no path.
const (
	SeccompDefault    = "default"
	SeccompUnconfined = "unconfined"
)

// NoLimit is a Pids without a limit of its own.
const NoLimit = -1

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

// String is the probe as it is written in an annotation.
func (p Probe) String() string {
	switch p.Kind {
	case ProbeTCP:
		return fmt.Sprintf("tcp:%d", p.Port)
	case ProbeHTTP:
		return fmt.Sprintf("http:%d%s", p.Port, p.Path)
	case ProbeUnix, ProbeFile:
		return string(p.Kind) + ":" + p.Path
	case ProbeExec:
		return "exec:" + strings.Join(p.Command, " ")
	}
	return string(p.Kind)
}

// Upper says where the writable layer of a read-write container lies.
type Upper struct {
	Disk string // directory on a disk; empty: a tmpfs
	Size string // size= of the tmpfs, as in tmpfs(5); empty: the default
}

// Bytes is the size of the tmpfs on a machine with that much memory; 0 if none is
// given.
func (u Upper) Bytes(memory uint64) uint64 {
	if percent, is := strings.CutSuffix(u.Size, "%"); is {
		n, err := strconv.ParseUint(percent, 10, 7)
		if err != nil {
			return 0
		}
		return memory / 100 * n
	}
	n, err := parseSize(u.Size)
	if err != nil {
		return 0
	}
	return uint64(n)
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
		Seccomp:         SeccompDefault,
	}
	if s == Onshutdown {
		p.Timeout = 60 * time.Second
	}
	return p
}
