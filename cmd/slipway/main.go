// Slipway builds images from linuxkit.yml and boots them.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"slipway/pkg/build/yml"
	"slipway/pkg/version"
)

func main() { os.Exit(status(newRootCommand().Execute())) }

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "slipway",
		Short:         "build and boot LinuxKit images",
		Version:       version.This().String(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetVersionTemplate("slipway {{.Version}}\n")
	root.AddCommand(newBuildCommand(), newImagesCommand(), newRunCommand(), newConsoleCommand(), newPsCommand(), newStopCommand(), newValidateCommand(), newManCommand())
	completeWithoutPackage(root)
	helpCommand(root)
	tellMisuse(root)
	return root
}

// exitError ends the program with a status of its own; what there is to say
// has been said.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// usageError is a command line that makes no sense.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func status(err error) int {
	var exit exitError
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return int(exit)
	case errors.As(err, &usage):
		fmt.Fprintln(os.Stderr, "slipway:", err)
		return 2
	}
	if faults, is := errors.AsType[yml.Faults](err); is { // a line of its own for each, as editors read them
		fmt.Fprintln(os.Stderr, faults)
		err = fmt.Errorf("%s, nothing was built", count(faults))
	}
	fmt.Fprintln(os.Stderr, "slipway:", err)
	return 1
}

// count says how many faults there are of each kind.
func count(faults yml.Faults) string {
	number := func(n int, what string) string {
		if n != 1 {
			what += "s"
		}
		return fmt.Sprintf("%d %s", n, what)
	}
	wrong := len(faults.Only(yml.Error))
	text := number(wrong, "error")
	if more := len(faults) - wrong; more > 0 {
		text += " and " + number(more, "warning")
	}
	return text
}
