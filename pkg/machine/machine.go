// Package machine is what the programs of one guest agree on: PID 1 (pkg/boot),
// the keeper, which is part of it, and the service program as onboot, onshutdown,
// supervisor and command line. They may be binaries of different
// versions after an upgrade, so what stands here is a contract: names below
// /run/slipway, signals, and the descriptors that a supervisor is born with.
//
// What the builder and PID 1 agree on is in image.go, words of the kernel's command
// line, which the host gives too, in options.go; the rest that is between guest and
// host in packages bundle and port.
package machine

// Run is the directory below which all of them meet. It is in memory, and ends
// with the boot.
const Run = "/run/slipway"

// What lies in it; "writer -> readers". All files are for root alone.
const (
	// Timeline is what took how long: PID 1, onboot, supervisor -> `service
	// analyze`, and the host's boot chart. Package timeline has the format.
	Timeline = "timeline.jsonl"
	// Journal is what was said: all -> `service logs`. Package journal.
	Journal = "journal"
	// Failed is how many containers were not well when the first start of all was
	// over: supervisor -> PID 1, and later supervisors, for which its being there
	// says that there is no boot any more.
	Failed = "boot-over"
	// Booting is there while services have their first start: PID 1 -> getty, whose
	// prompt comes behind the last line of the boot.
	Booting = "booting"
	// Quiet, where it is, has what is said go to the journal and not to the
	// consoles, where somebody types: PID 1, people -> all.
	Quiet = "quiet"
	// Upgrade says that the supervisor is about to be ended for another: command
	// line -> keeper, which removes it.
	Upgrade = "upgrade"
	// Verb is what PID 1 was asked for: PID 1 -> supervisor, which keeps it for
	// the next boot.
	VerbFile = "verb"
	// Exits is the ledger of exit statuses: keeper -> supervisor. Package keeper.
	Exits = "exits"
	// Events are the services' transitions, a JSON object a line: supervisor ->
	// `service events`.
	Events = "events.jsonl"
	// Control is the socket of the supervisor for the command line. Package control.
	Control = "control.sock"
	// Console is where the supervisor keeps what consoles have not taken yet, for
	// the next one. Package console.
	Console = "console"
	// Services has a record for each service: supervisor -> the next one.
	Services = "services"
	// ScriptsFile is how far /etc/init.d has come: PID 1 -> onboot, supervisor. Scripts
	// has the format.
	ScriptsFile = "scripts.json"
	// Output is where containers leave files for the host: a small filesystem of its own,
	// which anybody may write to who has it: containers -> supervisor, onshutdown.
	Output = "output"
	// OutputFile says that the host wants them, and how many bytes at most: onboot,
	// supervisor -> onshutdown, later supervisors.
	OutputFile = "output-wanted"
	// Leave is where PID 1 mounts filesystems again that nobody can reach by a path.
	Leave = "leave"
)

// Descriptors of a supervisor when it is started.
const (
	// WordsFD is a pipe to its keeper, on which it says the words below.
	WordsFD = 3
	// PipesFD is a socket to its keeper, which holds pipes for it. Package fdstore.
	PipesFD = 4
)

// Words of a supervisor to its keeper, each a line.
const (
	Up    = "up"    // all that ran under an earlier one is taken over
	Ready = "ready" // the first start of all services is over
	Down  = "down"  // all services are stopped
)
