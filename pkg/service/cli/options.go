package cli

import (
	"errors"
	"flag"
	"io"
	"os"
	"strings"

	"slipway/pkg/service/guest"
)

// options are all flags of all commands. LinuxKit's are taken everywhere it
// takes them, so that what scripts it goes on to work, also where they mean nothing (stop's -dump-spec).
type options struct {
	paths   guest.Paths
	quiet   bool
	verbose bool

	// LinuxKit's. There is no containerd: its socket, program and namespace
	// have no meaning here.
	namespace  string
	sock       string
	containerd string
	dumpSpec   string

	control  string
	json     bool
	follow   bool
	previous bool
	services bool
	since    string
	tail     int
	output   string
	tty      bool
	back     bool
}

// define adds the flags that every command takes.
func (o *options) define(f *flag.FlagSet) {
	f.BoolVar(&o.quiet, "q", o.quiet, "say only what went wrong")
	f.BoolVar(&o.verbose, "v", o.verbose, "say more")
	f.StringVar(&o.namespace, "containerd-namespace", "services.linuxkit", "ignored")
	f.StringVar(&o.paths.Containers, "containers", o.paths.Containers, "`directory` of onboot, onshutdown and services")
	f.StringVar(&o.paths.Services, "path", o.paths.Services, "`directory` of the services")
	f.StringVar(&o.paths.Volumes, "volumes", o.paths.Volumes, "`directory` of the volumes")
	f.StringVar(&o.paths.Run, "run", o.paths.Run, "`directory` of what lasts until the power goes")
	f.StringVar(&o.paths.Log, "log", o.paths.Log, "`directory` of the services' logs")
	f.StringVar(&o.paths.Var, "var", o.paths.Var, "`directory` that may last from boot to boot")
	f.StringVar(&o.paths.Runc, "runc", o.paths.Runc, "OCI runtime `program`")
	f.StringVar(&o.paths.RuncRoot, "runc-root", o.paths.RuncRoot, "`directory` of the OCI runtime's state")
	f.StringVar(&o.paths.Crun, "crun", o.paths.Crun, "the second OCI runtime's `program`")
	f.StringVar(&o.paths.CrunRoot, "crun-root", o.paths.CrunRoot, "`directory` of the second OCI runtime's state")
	f.StringVar(&o.control, "control", o.control, "control `socket` (default RUN/slipway/control.sock)")
	f.StringVar(&o.sock, "sock", "/run/containerd/containerd.sock", "ignored")
	f.StringVar(&o.containerd, "containerd", "/usr/bin/containerd", "ignored")
}

// parse reads flags. Before the command (c nil) it stops at the first argument;
// behind it flags may stand anywhere, up to "--", or up to where another
// program's command line begins.
func (o *options) parse(name string, args []string, c *command) ([]string, error) {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	o.define(f)
	if c != nil && c.options != nil {
		c.options(f, o)
	}
	var rest []string
	for {
		if err := f.Parse(args); err != nil {
			return nil, o.flagError(f, c, err)
		}
		if c == nil {
			return f.Args(), nil
		}
		if f.NArg() == 0 {
			return rest, nil
		}
		// Parse swallows "--"; what is behind it is no flag.
		if at := len(args) - f.NArg(); at > 0 && args[at-1] == "--" {
			return append(rest, f.Args()...), nil
		}
		rest = append(rest, f.Arg(0))
		args = f.Args()[1:]
		if len(rest) == c.own && c.own > 0 {
			if len(args) > 0 && args[0] == "--" {
				args = args[1:]
			}
			return append(rest, args...), nil
		}
	}
}

func (o *options) flagError(f *flag.FlagSet, c *command, err error) error {
	if !errors.Is(err, flag.ErrHelp) {
		return usageError{strings.TrimPrefix(f.Name(), "service ") + ": " + err.Error()}
	}
	if c == nil {
		printUsage(os.Stdout)
	} else {
		printCommand(os.Stdout, c)
	}
	return err
}
