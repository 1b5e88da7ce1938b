package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"slipway/pkg/build/yml"
)

func newValidateCommand() *cobra.Command {
	var f sourceFlags
	var asJSON, textOnly bool
	cmd := &cobra.Command{
		Use:   "validate [flags] FILE.yml...",
		Short: "find every fault in linuxkit.yml",
		RunE: func(_ *cobra.Command, files []string) error {
			if len(files) == 0 {
				return usageError{errors.New("validate: name a linuxkit.yml, or - for standard input")}
			}
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			err := f.validate(ctx, files, textOnly)
			if asJSON {
				return printFaults(err)
			}
			return err
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the faults as a JSON list, for editors")
	cmd.Flags().BoolVar(&textOnly, "no-images", false, "look at the text alone, not at the images it names")
	return cmd
}

func (f *sourceFlags) validate(ctx context.Context, files []string, textOnly bool) error {
	p := newProgress(os.Stderr, f.quiet)
	defer p.clear()
	builder, err := f.builder(p)
	if err != nil {
		return err
	}
	config, err := yml.Read(files, os.Stdin)
	if err != nil || textOnly {
		return err
	}
	return builder.Check(ctx, config)
}

// printFaults writes faults as JSON; what is no fault of the text stays an error.
func printFaults(err error) error {
	var faults yml.Faults
	if err != nil && !errors.As(err, &faults) {
		return err
	}
	if faults == nil {
		faults = yml.Faults{}
	}
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "  ")
	if err := out.Encode(faults); err != nil {
		return err
	}
	if len(faults) > 0 {
		return exitError(1)
	}
	return nil
}
