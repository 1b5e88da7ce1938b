// Package cli is the command line of the service program. What it was called
// as, or the first argument, says which of its parts runs.
package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"slipway/pkg/bundle"
	"slipway/pkg/service/guest"
)

// Exit statuses: done, failed, misused.
const (
	exitDone   = 0
	exitFailed = 1
	exitMisuse = 2
)

// usageError is a misuse of the command line.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

// call is one call of the program.
type call struct {
	options
	command string
	args    []string
	out     io.Writer
	shown   bool // something was shown
}

// command is a part of the program.
type command struct {
	name    string
	args    string // as the usage shows them
	about   string
	hidden  bool
	machine bool // the machine runs it, not somebody who types
	own     int  // arguments of ours, of a command whose others are another program's
	options func(*flag.FlagSet, *options)
	do      func(*call) error
}

// byName says which part a name without arguments stands for: the first entry
// that is part of the name. The order is LinuxKit's.
var byName = []struct{ part, command string }{
	{"volumes", "volumes"},
	{"onboot", "onboot"},
	{"onshutdown", "onshutdown"},
	{"containerd", "services"},
	{"services", "services"},
}

// Main runs the program and returns its exit status.
func Main(argv []string) int {
	beside()
	name := filepath.Base(argv[0])
	args := argv[1:]
	if name == "ctr" {
		args = []string{"ctr"}
	} else if len(args) == 0 {
		for _, n := range byName {
			if strings.Contains(name, n.part) {
				args = []string{n.command}
				break
			}
		}
	}
	err := dispatch(args)
	var usage usageError
	var program exitStatus
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, flag.ErrHelp):
		return exitDone
	case errors.As(err, &usage):
		fmt.Fprintf(os.Stderr, "service: %s\n", usage.text)
		return exitMisuse
	case errors.As(err, &program):
		return int(program)
	case errors.Is(err, errSilent):
		return exitFailed
	}
	fmt.Fprintf(os.Stderr, "service: %s\n", err)
	return exitFailed
}

// beside has what can run do so while a system call waits, on a machine of one processor
// too: there Go finds out at one of the next ticks of the clock, which are 4 ms apart where timers
// are no finer.
func beside() {
	if runtime.GOMAXPROCS(0) == 1 {
		runtime.GOMAXPROCS(2)
	}
}

// errSilent is a failure that has been told already.
var errSilent = errors.New("failed")

// dispatch reads the flags before the command, finds the command, and reads the
// flags after it, which may stand among its arguments.
func dispatch(args []string) error {
	o := options{paths: guest.Default()}
	args, err := o.parse("service", args, nil)
	if err != nil {
		return err
	}
	if o.quiet && o.verbose {
		return usageError{"-q and -v exclude each other"}
	}
	if len(args) == 0 {
		printUsage(os.Stderr)
		return usageError{"no command"}
	}
	c := find(args[0])
	if c == nil {
		return unknownCommand(args[0])
	}
	rest, err := o.parse("service "+c.name, args[1:], c)
	if err != nil {
		return err
	}
	if c.args == "" && len(rest) > 0 {
		return usageError{fmt.Sprintf("%s takes no arguments", c.name)}
	}
	if !c.machine {
		endOnQuit()
	}
	return c.do(&call{options: o, command: c.name, args: rest, out: os.Stdout})
}

// endOnQuit ends the program on Ctrl-\ as other programs end on it. By itself Go
// answers with the stacks of all goroutines, which is for a daemon that hangs.
func endOnQuit() {
	quit := make(chan os.Signal, 1)
	signal.Notify(quit, unix.SIGQUIT)
	go func() {
		<-quit
		os.Exit(128 + int(unix.SIGQUIT))
	}()
}

func find(name string) *command {
	for i := range commands {
		if commands[i].name == name {
			return &commands[i]
		}
	}
	return nil
}

func unknownCommand(name string) error {
	var names []string
	for _, c := range commands {
		if !c.hidden {
			names = append(names, c.name)
		}
	}
	if near := bundle.Nearest(name, names); near != "" {
		return usageError{fmt.Sprintf("no command %q; did you mean %q?", name, near)}
	}
	return usageError{fmt.Sprintf("no command %q; see service help", name)}
}
