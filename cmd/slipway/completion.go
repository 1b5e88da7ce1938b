package main

import (
	"github.com/spf13/cobra"

	"slipway/pkg/build"
	"slipway/pkg/build/output"
)

// completeYAML offers the files of a command that takes linuxkit.yml.
func completeYAML(cmd *cobra.Command) {
	cmd.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return []string{"yml", "yaml"}, cobra.ShellCompDirectiveFilterFileExt
	}
	for flag, words := range map[string][]string{
		"format":      output.Formats(),
		"compression": output.Compressions(),
		"initrd":      {"payload", "cpio"},
		"hardening":   {string(build.HardeningDefault), string(build.HardeningNone)},
		"platform":    {"linux/amd64", "linux/arm64"},
		"arch":        {"amd64", "arm64"},
	} {
		if cmd.Flags().Lookup(flag) == nil {
			continue
		}
		fixed := cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
		if err := cmd.RegisterFlagCompletionFunc(flag, fixed); err != nil {
			panic(err) // a flag twice: a mistake in this file
		}
	}
}
