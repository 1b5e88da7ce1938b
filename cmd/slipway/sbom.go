package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"github.com/spf13/cobra"

	"slipway/pkg/build"
	"slipway/pkg/build/output"
	"slipway/pkg/build/sbom"
)

// sbomFlags say where the list of what an image is made of goes.
type sbomFlags struct {
	file    string
	inImage string
	none    bool
}

func (f *sbomFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.file, "sbom", "", "also write the SPDX document of what went in to this file, - for standard output")
	flags.StringVar(&f.inImage, "sbom-output", "", "path of the SPDX document in the image (default "+sbom.DefaultFile+"; with --hardening none no document)")
	flags.BoolVar(&f.none, "no-sbom", false, "put no SPDX document into the image")
}

// check fills in what was left out; exact is an image with nothing but what the
// YAML asks for.
func (f *sbomFlags) check(exact bool) error {
	if f.inImage == "" {
		f.none = f.none || exact
		f.inImage = sbom.DefaultFile
	}
	p := path.Clean(strings.TrimPrefix(f.inImage, "/"))
	if p == "." || p == ".." || strings.HasPrefix(p, "../") {
		return usageError{fmt.Errorf("--sbom-output %q: want a path in the image", f.inImage)}
	}
	f.inImage = p
	return nil
}

// put makes the document, puts it into the machine's root, and writes it to a
// file that takes its name only by Commit.
func (f *sbomFlags) put(ctx context.Context, machine *build.Machine, name string) (*output.Target, error) {
	target := &output.Target{File: f.file, Name: name, Stdout: os.Stdout}
	if f.none && f.file == "" {
		return target, nil
	}
	document, err := machine.SBOM(ctx, name)
	if err != nil {
		return target, err
	}
	if f.file != "" {
		err = target.WriteFile("", func(w *os.File) error {
			_, err := w.Write(document)
			return err
		})
		if err != nil {
			return target, errors.Join(fmt.Errorf("write SBOM: %w", err), target.Discard())
		}
	}
	if f.none {
		return target, nil
	}
	return target, machine.PutSBOM(f.inImage, document)
}
