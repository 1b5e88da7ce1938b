package main

import (
	"io"
	"slices"
	"strings"
	"testing"

	"slipway/test/docs/shown"
)

// Each command line of slipway that a document shows is one that it takes: the
// command and its flags exist, and so many arguments may be given.
func TestCommandsOfDocuments(t *testing.T) {
	for _, line := range shown.Commands(t, "../..", "slipway") {
		text := "slipway " + strings.Join(line.Args, " ")
		root := newRootCommand()
		root.SetOut(io.Discard)
		root.InitDefaultVersionFlag()
		cmd, rest, err := root.Find(line.Args)
		if err != nil || cmd == root && !slices.Contains(line.Args, "--version") {
			t.Errorf("%s: %s: no such command (%v)", line.Place, text, err)
			continue
		}
		if err := cmd.ParseFlags(rest); err != nil && !slices.Contains(rest, "--help") {
			t.Errorf("%s: %s: %v", line.Place, text, err)
			continue
		}
		if !line.Whole {
			continue
		}
		if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
			t.Errorf("%s: %s: %v", line.Place, text, err)
		}
	}
}
