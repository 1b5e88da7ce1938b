// Package port is what a virtual machine and the host that runs it say to each
// other, over a virtio serial port. A console belongs to everybody in the
// machine, so its text proves nothing; the port belongs to Slipway's programs:
// the kernel lets one process have it open, and that is PID 1, or the keeper,
// from before the first container until the end. It hands copies to the onboot
// sequence and to the supervisor.
//
// The guest says hello whenever another of its programs takes over, and the host
// answers each hello with all that it asks for. So nothing is lost with a program that
// is killed, and none of them needs to keep what another was told. A guest
// without a port, or a host that does not listen, changes nothing in the machine.
package port

// Name of the port. It tells the guest what the port is for, so that no word on
// the kernel's command line is needed, which ISOs and disks could not be given.
const Name = "slipway.0"

// Message is what is said. One of its fields is set; a side passes over what it
// does not know.
type Message struct {
	// The guest's.
	Hello    *Hello  `json:"hello,omitempty"`
	Report   *Report `json:"report,omitempty"`
	Timeline []byte  `json:"timeline,omitempty"` // the file that package timeline reads
	Line     *Line   `json:"line,omitempty"`
	End      *End    `json:"end,omitempty"`
	// Failed is what failed after the report, on the way down, a line for each.
	Failed []string `json:"failed,omitempty"`
	Pong   int      `json:"pong,omitempty"`
	File   *File    `json:"file,omitempty"`
	Files  *Files   `json:"files,omitempty"`
	// The host's.
	Request *Request `json:"wishes,omitempty"`
	Ping    int      `json:"ping,omitempty"`
}

// Hello says that one of the guest's programs listens from now on.
type Hello struct {
	From string `json:"from"` // init, onboot or services
	// Pvpanic: the kernel tells QEMU itself when it panics.
	Pvpanic bool `json:"pvpanic,omitempty"`
}

// The programs that say hello.
const (
	Init     = "init"
	Onboot   = "onboot"
	Services = "services"
)

// Report is how all containers are.
type Report struct {
	// Final: the first start of all is over. Otherwise it is how they were when
	// the host asked.
	Final      bool        `json:"final,omitempty"`
	Faults     []string    `json:"faults,omitempty"` // what is not well, a line for each
	Containers []Container `json:"containers,omitempty"`
}

// Container is one of a Report.
type Container struct {
	Section string `json:"section"`
	Name    string `json:"name"`
	State   string `json:"state"`
	Cause   string `json:"cause,omitempty"`
}

// Line is a line of output, and whose it is.
type Line struct {
	From string `json:"from"`
	Text string `json:"text"`
}

// End says that the machine goes down.
type End struct {
	Verb string `json:"verb"` // poweroff, reboot, halt, kexec or Shutdown
	// OOM is the kernel's line of the first process that it killed because the
	// machine had no memory left.
	OOM string `json:"oom,omitempty"`
}

// Shutdown is the verb of those who are not told which it is.
const Shutdown = "shutdown"

// Request is all that the host asks for, each time anew.
type Request struct {
	Report   bool `json:"report,omitempty"`   // once all have had their first start; then power off
	Hold     bool `json:"hold,omitempty"`     // but not if all is well: Poweroff will say when
	Timeline bool `json:"timeline,omitempty"` // at the same time, or when the machine goes down
	Now      bool `json:"now,omitempty"`      // both at once, as they are
	Poweroff bool `json:"poweroff,omitempty"`
	// Output is how many bytes of files the host takes, once the machine goes down, and
	// with Now; 0: it wants none.
	Output int64 `json:"output,omitempty"`
	// Window is the size of the window in which somebody looks at the console.
	Window *Window `json:"window,omitempty"`
	// Lines names whose output is wanted.
	Lines []string `json:"lines,omitempty"`
}

// Window is how large a console is for who looks at it: a serial line cannot tell.
type Window struct {
	Console string `json:"console"` // the kernel's name of it, such as ttyS0
	Columns uint16 `json:"columns"`
	Rows    uint16 `json:"rows"`
}
