package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"slipway"
	"slipway/pkg/build/images"
	"slipway/pkg/version"
)

// imagesFlags are what every command below `slipway images` takes.
type imagesFlags struct {
	root, platform string
	recipes        []string
	force, json    bool
	jobs           int
}

func newImagesCommand() *cobra.Command {
	var f imagesFlags
	cmd := &cobra.Command{
		Use:   "images",
		Short: "build our own images into the local store, list, export, import and push them; renew lock files",
	}
	cmd.PersistentFlags().StringVar(&f.root, "root", os.Getenv("SLIPWAY_ROOT"), "repository that holds images/ (default: this directory or one above it, else what slipway carries; $SLIPWAY_ROOT)")
	cmd.PersistentFlags().StringVar(&f.platform, "platform", "linux/"+runtime.GOARCH, "platform of the images")
	build := &cobra.Command{
		Use:   "build [NAME...]",
		Short: "build images whose inputs have changed; with no NAME all but those built on demand",
		Long: `Build images into the local store, those whose inputs have changed: our own, with no
NAME all but those built on demand, or with --recipe those of recipes of your own.

A recipe of your own is a directory with an image.yml, which has the same keys as ours
(docs/recipes.md). Its image is called as its "name:" says, or as NAME for one recipe.`,
		Example: `  slipway images build
  slipway images build --recipe recipes/web localhost/web:1
  slipway images build --recipe recipes/web --recipe recipes/db --platform linux/arm64`,
		RunE: func(_ *cobra.Command, names []string) error { return f.build(names) },
	}
	build.Flags().BoolVar(&f.force, "force", false, "build what is up to date as well")
	build.Flags().StringArrayVar(&f.recipes, "recipe", nil, "`DIR` with a recipe of your own, to build in place of our images (repeatable)")
	directories(build, "recipe")
	build.Flags().IntVar(&f.jobs, "jobs", 2, "images to build at once")
	list := &cobra.Command{
		Use:   "list",
		Short: "list the images with digest, size and whether they are up to date",
		Args:  cobra.NoArgs,
		RunE:  func(*cobra.Command, []string) error { return f.list() },
	}
	list.ValidArgsFunction = cobra.NoFileCompletions
	list.Flags().BoolVar(&f.json, "json", false, "write JSON")
	export := &cobra.Command{
		Use:   "export FILE.tar [NAME...]",
		Short: "write images from the store as an OCI layout that `linuxkit cache import` takes",
		Args:  cobra.MinimumNArgs(1),
		RunE:  func(_ *cobra.Command, args []string) error { return f.export(args[0], args[1:]) },
	}
	take := &cobra.Command{
		Use:   "import FILE.tar",
		Short: "take our own images into the store, for all platforms, from an OCI layout that images export or a release has made",
		Args:  cobra.ExactArgs(1),
		RunE:  func(_ *cobra.Command, args []string) error { return f.take(args[0]) },
	}
	build.ValidArgsFunction = completeImages(&f)
	export.ValidArgsFunction = imagesBehind(&f, cobra.ShellCompDirectiveDefault)
	take.ValidArgsFunction = cobra.FixedCompletions([]string{"tar"}, cobra.ShellCompDirectiveFilterFileExt)
	cobra.CheckErr(cmd.RegisterFlagCompletionFunc("platform", cobra.FixedCompletions([]string{"linux/amd64", "linux/arm64"}, cobra.ShellCompDirectiveNoFileComp)))
	cmd.AddCommand(build, list, export, take, newPushCommand(&f), newUpdateCommand())
	return cmd
}

// open reads the recipes. The context ends when the user interrupts, or calls
// the function returned.
// Outside of the repository there are those that slipway carries, where recipes are
// wanted, and else what the store has.
func (f *imagesFlags) open(recipes bool) (b *images.Builder, ctx context.Context, finish func(), err error) {
	goos, arch, ok := strings.Cut(f.platform, "/")
	if !ok || goos != "linux" || (arch != "amd64" && arch != "arm64") {
		return nil, nil, nil, usageError{fmt.Errorf("platform %q: want linux/amd64 or linux/arm64", f.platform)}
	}
	progress, clear := images.NewProgress(os.Stderr)
	b = &images.Builder{Root: f.root, Arch: arch, Force: f.force, Progress: progress}
	remove := func() {}
	if b.Root == "" {
		b.Root, err = images.FindRoot(".")
	}
	if errors.Is(err, images.ErrNoRoot) && recipes {
		b.Root, remove, err = unpackCarried()
		b.Version = version.This()
	}
	if err != nil && !errors.Is(err, images.ErrNoRoot) {
		return nil, nil, nil, err
	}
	if err := b.Open(); err != nil {
		remove()
		return nil, nil, nil, err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGQUIT)
	return b, ctx, func() { clear(); stop(); remove() }, nil
}

// unpackCarried writes the recipes that slipway carries to a directory of their own, which
// the function returned removes.
func unpackCarried() (dir string, remove func(), err error) {
	if dir, err = os.MkdirTemp("", "slipway-recipes-"); err != nil {
		return "", nil, err
	}
	remove = func() { _ = os.RemoveAll(dir) } // temporary anyway
	if err = images.Unpack(slipway.Carried, dir); err != nil {
		remove()
	}
	return dir, remove, err
}

func (f *imagesFlags) take(file string) error {
	b, ctx, finish, err := f.open(false)
	if err != nil {
		return err
	}
	names, err := b.Import(ctx, file)
	err = imagesError(ctx, finish, err)
	for _, name := range names {
		fmt.Println(name)
	}
	return err
}

func (f *imagesFlags) build(names []string) error {
	if len(f.recipes) > 0 && len(names) > 1 || len(f.recipes) > 1 && len(names) > 0 {
		return usageError{errors.New("images build: a NAME is for one --recipe; of several each says its own (name: in image.yml)")}
	}
	if f.jobs < 1 {
		return usageError{fmt.Errorf("images build: --jobs %d: want 1 or more", f.jobs)}
	}
	b, ctx, finish, err := f.open(true)
	if err != nil {
		return err
	}
	if len(f.recipes) > 0 {
		names, err = addRecipes(b, f.recipes, names)
	}
	if err == nil {
		err = b.Build(ctx, names, f.jobs)
	}
	return imagesError(ctx, finish, err)
}

// addRecipes adds recipes of the user's and returns the names to build: the one given,
// or those that they say.
func addRecipes(b *images.Builder, dirs, names []string) ([]string, error) {
	given := strings.Join(names, "")
	names = nil
	var faults []error
	for _, dir := range dirs {
		name, err := b.AddRecipe(dir, given)
		names, faults = append(names, name), append(faults, err)
	}
	return names, errors.Join(faults...)
}

func (f *imagesFlags) list() error {
	b, ctx, finish, err := f.open(true)
	if err != nil {
		return err
	}
	all, err := b.List(ctx)
	if err := imagesError(ctx, finish, err); err != nil {
		return err
	}
	if f.json {
		e := json.NewEncoder(os.Stdout)
		e.SetIndent("", "  ")
		return e.Encode(all)
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	listTable(table, all)
	return table.Flush()
}

// listTable writes columns that end with tabs; a table keeps its error for Flush.
func listTable(w io.Writer, all []images.Status) {
	fmt.Fprintln(w, "NAME\tDIGEST\tSIZE\tSTATE\tABOUT")
	for _, s := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", s.Name, s.ShortDigest(), s.HumanSize(), s.State, s.About)
	}
}

func (f *imagesFlags) export(file string, names []string) error {
	b, ctx, finish, err := f.open(false)
	if err != nil {
		return err
	}
	return imagesError(ctx, finish, b.Export(ctx, file, names))
}

// imagesError tells a wrong name and an interruption from a failure, and ends
// the progress so that what is said next comes below it.
func imagesError(ctx context.Context, finish func(), err error) error {
	interrupted := ctx.Err() != nil
	finish()
	switch {
	case err == nil:
		return nil
	case interrupted:
		return errors.New("interrupted")
	case errors.Is(err, images.ErrUnknownImage):
		return usageError{err}
	}
	return err
}
