package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"slipway/pkg/build/yml"
)

// validateFlags are those of `slipway validate`.
type validateFlags struct {
	sourceFlags
	json, textOnly, errorsOnly, schema bool
}

func newValidateCommand() *cobra.Command {
	var f validateFlags
	cmd := &cobra.Command{
		Use:   "validate [flags] FILE.yml...",
		Short: "find every fault in linuxkit.yml",
		Long: `Find every fault in linuxkit.yml, in its text and in what the images make of it.

Warnings are what LinuxKit's own tool builds without a word and what will
probably fail at boot. The exit status is 1 if there is any fault.`,
		RunE: func(_ *cobra.Command, files []string) error {
			if f.schema {
				return printSchema()
			}
			if len(files) == 0 {
				return usageError{errors.New("validate: name a linuxkit.yml, or - for standard input")}
			}
			return interruptible(func(ctx context.Context) error { return f.run(ctx, files) })
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&f.json, "json", false, "print the faults as a JSON list, for editors")
	cmd.Flags().BoolVar(&f.textOnly, "no-images", false, "look at the text alone, for all that can be told without the images it names")
	cmd.Flags().BoolVar(&f.errorsOnly, "errors-only", false, "leave warnings out")
	cmd.Flags().BoolVar(&f.schema, "schema", false, "print the JSON Schema of linuxkit.yml, for editors")
	completeYAML(cmd)
	return cmd
}

func (f *validateFlags) run(ctx context.Context, files []string) error {
	faults, err := f.find(ctx, files)
	if err != nil {
		return err
	}
	if f.errorsOnly {
		faults = faults.Only(yml.Error)
	}
	faults.Sort()
	if f.json {
		err = printJSON(faults)
	} else {
		for _, x := range faults {
			fmt.Println(x)
		}
	}
	if err == nil && len(faults) > 0 {
		return exitError(1)
	}
	return err
}

func (f *validateFlags) find(ctx context.Context, files []string) (yml.Faults, error) {
	p := newProgress(os.Stderr, f.quiet)
	defer p.clear()
	builder, finder, err := f.builder(p)
	if err != nil {
		return nil, err
	}
	if _, err := f.useLock(builder, finder, files); err != nil {
		return nil, err
	}
	if f.textOnly {
		builder.Finder = nil
	}
	return builder.CheckFiles(ctx, files, os.Stdin)
}

func printSchema() error {
	data, err := yml.JSONSchema()
	if err == nil {
		_, err = fmt.Printf("%s\n", data)
	}
	return err
}

func printJSON(faults yml.Faults) error {
	if faults == nil {
		faults = yml.Faults{}
	}
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "  ")
	return out.Encode(faults)
}
