package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"slipway/pkg/build/output"
	"slipway/pkg/build/spec"
	"slipway/pkg/qemu"
)

// bashFunctions stand in for those of the package bash-completion, which cobra's script
// calls, in a shell that has not loaded it.
const bashFunctions = `declare -F _get_comp_words_by_ref >/dev/null || _get_comp_words_by_ref() {
    words=("${COMP_WORDS[@]}") cword=$COMP_CWORD cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
}
declare -F _filedir >/dev/null || _filedir() {
    local kind=-f
    [[ ${1-} != -d ]] || kind=-d
    mapfile -t COMPREPLY < <(compgen "$kind" -- "$cur")
}
`

// completeWithoutPackage has bash's completion work where bash-completion is missing.
func completeWithoutPackage(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	bash, _, err := root.Find([]string{"completion", "bash"})
	if err != nil || bash.RunE == nil {
		panic("cobra has no completion for bash") // a newer one: see what it is called there
	}
	write := bash.RunE
	bash.RunE = func(cmd *cobra.Command, args []string) error {
		if _, err := fmt.Fprint(cmd.OutOrStdout(), bashFunctions); err != nil {
			return err
		}
		return write(cmd, args)
	}
}

// completeYAML offers the files of a command that takes linuxkit.yml.
func completeYAML(cmd *cobra.Command) {
	cmd.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return []string{"yml", "yaml"}, cobra.ShellCompDirectiveFilterFileExt
	}
	fixed(cmd, map[string][]string{
		"format":      output.Formats(),
		"compression": output.Compressions(),
		"initrd":      {"payload", "cpio"},
		"hardening":   {string(spec.HardeningDefault), string(spec.HardeningNone)},
		"platform":    {"linux/amd64", "linux/arm64"},
		"arch":        {"amd64", "arm64"},
	})
	if cmd.Flags().Lookup("verify") != nil {
		cobra.CheckErr(cmd.MarkFlagFilename("verify", "pub", "pem"))
	}
}

// completeRun offers what `slipway run` can boot: images in their directories, by name, and
// media by file.
func completeRun(cmd *cobra.Command) {
	cmd.ValidArgsFunction = func(_ *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 && args[0] != "qemu" {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		names := namesOf(begun, "-kernel", "")
		for _, suffix := range []string{".iso", ".img", ".qcow2"} {
			names = append(names, namesOf(begun, suffix, suffix)...)
		}
		names = slices.DeleteFunc(names, func(name string) bool { return strings.HasSuffix(name, "-initrd.img") })
		return append(names, directoriesOf(begun)...), cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
	}
	fixed(cmd, map[string][]string{
		"accel": {qemu.AccelAuto, qemu.AccelKVM, qemu.AccelTCG}, "arch": {"x86_64", "aarch64"}, "networking": {"user", "none"},
	})
	directories(cmd, "output", "state")
	for flag, extension := range map[string]string{"boot-chart": "svg", "json": "json", "junit": "xml"} {
		cobra.CheckErr(cmd.MarkFlagFilename(flag, extension))
	}
}

// completeMachine offers the machines that have a state directory here.
func completeMachine(cmd *cobra.Command) {
	directories(cmd, "state")
	cmd.ValidArgsFunction = func(_ *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return namesOf(begun, "-state/lock", ""), cobra.ShellCompDirectiveNoFileComp
	}
}

// completeImages offers our own images, as far as they are not named yet.
func completeImages(f *imagesFlags) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		b, _, finish, err := f.open(true)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		defer finish()
		return slices.DeleteFunc(b.Names(), func(name string) bool { return slices.Contains(args, name) }), cobra.ShellCompDirectiveNoFileComp
	}
}

// imagesBehind offers images behind the first argument, which is something else.
func imagesBehind(f *imagesFlags, first cobra.ShellCompDirective) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return nil, first
		}
		return completeImages(f)(cmd, args, begun)
	}
}

// directories have Tab offer directories for flags that name one.
func directories(cmd *cobra.Command, flags ...string) {
	for _, flag := range flags {
		cobra.CheckErr(cmd.MarkFlagDirname(flag))
	}
}

// namesOf are the beginnings of files that end with a suffix, which become others.
func namesOf(begun, suffix, instead string) []string {
	found, err := filepath.Glob(escapeGlob(begun) + "*" + suffix)
	if err != nil {
		return nil
	}
	for i, name := range found {
		found[i] = strings.TrimSuffix(name, suffix) + instead
	}
	return found
}

// directoriesOf are directories to look into.
func directoriesOf(begun string) []string {
	var directories []string
	for _, name := range namesOf(begun, "", "") {
		if info, err := os.Stat(name); err == nil && info.IsDir() {
			directories = append(directories, name+"/")
		}
	}
	return directories
}

func escapeGlob(text string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(text)
}

// fixed completes flags by lists of words.
func fixed(cmd *cobra.Command, lists map[string][]string) {
	for flag, words := range lists {
		if cmd.Flags().Lookup(flag) == nil {
			continue
		}
		if err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)); err != nil {
			panic(err) // a flag twice: a mistake in this file
		}
	}
}
