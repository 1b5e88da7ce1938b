package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"slipway/pkg/bundle"
)

// tellMisuse makes every misuse of a command line a usageError, whichever command it is
// of, cobra's own among them: a command that there is not, a flag, a number of arguments.
func tellMisuse(cmd *cobra.Command) {
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%s%w", about(cmd), err)}
	})
	if cmd.HasSubCommands() && !cmd.Runnable() {
		cmd.Args = cobra.ArbitraryArgs
		cmd.RunE = wrongCommand
	}
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil && !errors.As(err, new(usageError)) {
				return usageError{fmt.Errorf("%s%w; it is used as %s", about(cmd), err, cmd.UseLine())}
			} else if err != nil {
				return err
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		tellMisuse(sub)
	}
}

// wrongCommand is what a command does that is only a name for others.
func wrongCommand(cmd *cobra.Command, args []string) error {
	var names []string
	for _, sub := range cmd.Commands() {
		if !sub.Hidden {
			names = append(names, sub.Name())
		}
	}
	switch near := bundle.Nearest(strings.Join(args, " "), names); {
	case len(args) == 0:
		fmt.Fprint(cmd.ErrOrStderr(), cmd.UsageString())
		return usageError{fmt.Errorf("%sno command", about(cmd))}
	case near != "":
		return usageError{fmt.Errorf("%sno command %q; did you mean %q?", about(cmd), args[0], near)}
	}
	return usageError{fmt.Errorf("%sno command %q; there are %s", about(cmd), args[0], strings.Join(names, ", "))}
}

// about names a command, where it is not the whole program.
func about(cmd *cobra.Command) string {
	if !cmd.HasParent() {
		return ""
	}
	return strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" ") + ": "
}

// helpCommand is cobra's, which ends well when there is nothing to show.
func helpCommand(root *cobra.Command) *cobra.Command {
	root.InitDefaultHelpCmd()
	help, _, err := root.Find([]string{"help"})
	if err != nil || help == root {
		panic("cobra has no help command") // a newer one: see what it is called there
	}
	help.Run = nil
	help.RunE = func(cmd *cobra.Command, args []string) error {
		of, rest, err := cmd.Root().Find(args)
		if err != nil || len(rest) > 0 || of == nil {
			return usageError{fmt.Errorf("there is no help on %q", strings.Join(args, " "))}
		}
		return of.Help()
	}
	return help
}
