package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"slipway/pkg/build/images"
	"slipway/pkg/build/oci"
)

func newPushCommand(f *imagesFlags) *cobra.Command {
	var certFiles []string
	cmd := &cobra.Command{
		Use:   "push REGISTRY/ORG[:TAG] [NAME...]",
		Short: "push images from the store to a registry, for amd64 and arm64 at once",
		Long: `Push images from the store to a registry as REGISTRY/ORG/NAME:TAG, each as one
index for amd64 and arm64, and print their names with digests. With no NAME all that
the store has for both, but those of tests. TAG is that of all; with none each
keeps its own. Two that would have one name there are refused. Within the repository
nothing is pushed that its recipe would make otherwise now.

A YAML goes on saying slipway/NAME:TAG with build --rename slipway=REGISTRY/ORG.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("platform") {
				return usageError{errors.New("images push: every image goes for amd64 and arm64; leave --platform out")}
			}
			return f.push(args[0], args[1:], certFiles)
		},
	}
	cmd.Flags().StringArrayVar(&certFiles, "cert-file", nil, "PEM file of further authorities that the registry's certificate may be from (repeatable)")
	cmd.ValidArgsFunction = imagesBehind(f, cobra.ShellCompDirectiveNoFileComp)
	return cmd
}

func (f *imagesFlags) push(target string, names, certFiles []string) error {
	to, err := oci.ParsePushTarget(target, images.Tag)
	if err != nil {
		return usageError{fmt.Errorf("images push: %w", err)}
	}
	registry := &oci.Registry{}
	if registry.Transport, err = oci.TransportTrusting(certFiles); err != nil {
		return usageError{err}
	}
	b, ctx, finish, err := f.open(false)
	if err != nil {
		return err
	}
	var pushed []string
	err = b.Push(ctx, registry, to, names, func(name string) { pushed = append(pushed, name) })
	err = imagesError(ctx, finish, err)
	for _, name := range pushed {
		fmt.Println(name)
	}
	return err
}
