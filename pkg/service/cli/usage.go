package cli

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"slipway/pkg/service/guest"
)

// say writes to a terminal or pipe of the user; if that is gone there is nobody
// to tell.
func say(w io.Writer, format string, args ...any) { fmt.Fprintf(w, format, args...) }

// nothing says to people that there is nothing to show, where programs see no output.
func (c *call) nothing(what string) {
	if !c.quiet && !c.json {
		say(os.Stderr, "service: %s\n", what)
	}
}

func printUsage(w io.Writer) {
	say(w, "usage: service [flags] command [flags] [arguments]\n\n")
	var parts []string
	for _, c := range commands {
		switch name := strings.TrimSpace(c.name + " " + c.args); {
		case c.hidden:
		case c.machine:
			parts = append(parts, c.name)
		case len(name) > nameWidth:
			say(w, "  %s\n  %-*s %s\n", name, nameWidth, "", c.about)
		default:
			say(w, "  %-*s %s\n", nameWidth, name, c.about)
		}
	}
	say(w, "\nParts of the boot:\n  %s\n", strings.Join(parts, ", "))
	say(w, "service help COMMAND has a command's flags, service help flags those of all.\n")
}

// nameWidth is what names have in the list; longer ones have a line of their own.
const nameWidth = 18

// runHelp shows all commands, one of them, or the flags that all take.
func runHelp(c *call) error {
	switch {
	case len(c.args) == 0:
		printUsage(c.out)
	case c.args[0] == "flags":
		say(c.out, "Flags of all commands:\n\n")
		f := flag.NewFlagSet("service", flag.ContinueOnError)
		o := options{paths: guest.Default()}
		o.define(f)
		f.SetOutput(c.out)
		f.PrintDefaults()
	default:
		k := find(c.args[0])
		if k == nil {
			return unknownCommand(c.args[0])
		}
		printCommand(c.out, k)
	}
	return nil
}

// printCommand shows a command with the flags that only some have.
func printCommand(w io.Writer, c *command) {
	say(w, "usage: service %s\n\n%s\n", strings.TrimSpace(c.name+" [flags] "+c.args), c.about)
	if c.options != nil {
		say(w, "\n")
		f := flag.NewFlagSet(c.name, flag.ContinueOnError)
		c.options(f, &options{})
		f.SetOutput(w)
		f.PrintDefaults()
	}
	say(w, "\nservice help flags has those that all commands take.\n")
}
