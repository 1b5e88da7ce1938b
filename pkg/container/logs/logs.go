// Package logs keeps what a container writes to its standard output and error.
//
// The container writes into two named pipes. A Pump, one thread for all
// containers of a process, moves the bytes from the pipes into files with
// splice(2): the kernel takes out of the pipe exactly what it has put into the
// file, so a process that is killed between any two instructions has neither
// lost nor doubled a byte, and its successor goes on by opening the same pipes.
// The files have LinuxKit's names and hold the plain bytes that were written. A
// small index beside them says when which range of bytes came and where a run
// of the container began; Read joins the two into lines with time and stream.
//
// Before it: pkg/container asks for the two ends to give to the container.
// After it: `service logs`, and whoever reports a failure with the last lines.
package logs

import (
	"log/slog"
	"os"
	"time"

	"slipway/pkg/bundle"
)

// Stream is one of the two outputs of a container.
type Stream uint8

// The two streams.
const (
	Stdout Stream = 1
	Stderr Stream = 2
)

func (s Stream) String() string {
	if s == Stdout {
		return "stdout"
	}
	return "stderr"
}

// Paths says where things lie; the zero value is a LinuxKit machine's layout.
type Paths struct {
	Run     string // default /run: pipes, onboot logs, what memory alone keeps
	Log     string // default /var/log: logs of services, and the links
	Memlogd string // default /var/run/linuxkit-external-logging.sock
	Kmsg    string // default /dev/kmsg
}

// Options are what Open needs beside the bundle.
type Options struct {
	Paths Paths
	// Pump serves the pipes; nil gives the Writer one of its own. A process
	// with many containers shares one.
	Pump *Pump
	// Console gets the lines of containers with slipway.log=console, and
	// reports of loss. Nil: nowhere.
	Console *Console
	// Direct, if set, is given to the container as both of its outputs, and
	// nothing is kept: linuxkit.runc_console=1. It is not closed.
	Direct *os.File
	Log    *slog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Line is one line of output, without its newline.
type Line struct {
	Time   time.Time // when it was taken from the pipe; zero if not known
	Stream Stream
	Text   []byte
	// Part is set on every piece but the last of a line longer than MaxLine.
	Part bool
	// Lost, if above zero, says that this is no line but a gap of that many
	// bytes that could not be kept.
	Lost int64
}

// MaxLine is the longest piece of a line that Read yields.
const MaxLine = 16 << 10

// Writer takes the output of one container, from before its creation until
// after its death.
//
//   - Open makes the pipes; Stdout and Stderr go to the container.
//   - Started closes this process's copies of these two.
//   - Close, after the container's death, takes what is left in the pipes.
type Writer struct {
	stdout, stderr *os.File
}

// Open makes ready for a new run of the container. Files of an earlier run are
// rotated away, not truncated, so that the output of the run that failed can be
// read after the restart.
func Open(b *bundle.Bundle, o Options) (*Writer, error) { return nil, nil }

// Attach takes over the pipes of a container that was started by a process
// that is gone.
func Attach(b *bundle.Bundle, o Options) (*Writer, error) { return nil, nil }

// Stdout is what the container gets as its standard output.
func (w *Writer) Stdout() *os.File { return w.stdout }

// Stderr is what the container gets as its standard error.
func (w *Writer) Stderr() *os.File { return w.stderr }

// Started closes the ends that now are the container's. Close does it as well.
func (w *Writer) Started() error { return nil }

// Tail gives the last n lines of this run, oldest first.
func (w *Writer) Tail(n int) []Line { return nil }

// Lost is the number of bytes of this run that were read and could not be kept.
func (w *Writer) Lost() int64 { return 0 }

// Close takes what the dead container left in the pipes and closes everything.
// It never waits for anybody who still holds the other end.
func (w *Writer) Close() error { return nil }

// Pump moves bytes from the pipes of many containers with one thread.
type Pump struct{}

// NewPump starts a pump.
func NewPump() (*Pump, error) { return &Pump{}, nil }

// Close stops the pump. Writers on it have to be closed before.
func (p *Pump) Close() error { return nil }

// Console writes to several terminals and never waits for one.
type Console struct{}
