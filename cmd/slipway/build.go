package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"slipway/pkg/build"
	"slipway/pkg/build/oci"
	"slipway/pkg/build/output"
	"slipway/pkg/build/yml"
)

// sourceFlags say where images come from; build and validate share them.
type sourceFlags struct {
	layouts   []string
	platform  string
	hardening string
	pull      bool
	offline   bool
	mirrors   []string
	certFiles []string
	quiet     bool
}

func (f *sourceFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVar(&f.layouts, "oci", nil, "OCI image layout (folder or tar) or docker-save tar to take images from first (repeatable)")
	flags.StringVar(&f.platform, "platform", "linux/"+runtime.GOARCH, "platform of the machine")
	flags.StringVar(&f.platform, "arch", "linux/"+runtime.GOARCH, "the same, as LinuxKit calls it")
	flags.StringVar(&f.hardening, "hardening", string(build.HardeningDefault), "default: mask what containers without CAP_SYS_ADMIN need not see; none: exactly LinuxKit's bundles")
	flags.BoolVar(&f.pull, "pull", false, "ask the registry even for images that the local store has")
	flags.BoolVar(&f.offline, "offline", false, "never ask a registry")
	flags.StringArrayVar(&f.mirrors, "mirror", nil, "HOST=MIRROR: ask MIRROR for the images of HOST, * for every host; MIRROR alone is for docker.io (repeatable)")
	flags.StringArrayVar(&f.certFiles, "cert-file", nil, "PEM file of further authorities that registries' certificates may be from (repeatable)")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "print nothing but errors")
}

// builder makes the builder that the flags describe.
func (f *sourceFlags) builder(p *progress) (*build.Builder, error) {
	platform, err := oci.ParsePlatform(f.platform)
	if err != nil {
		return nil, usageError{err}
	}
	hardening, err := build.ParseHardening(f.hardening)
	if err != nil {
		return nil, usageError{err}
	}
	finder := &oci.Finder{Store: oci.OpenStore(), Pull: f.pull}
	for _, path := range f.layouts {
		source, err := oci.OpenSource(path)
		if err != nil {
			return nil, usageError{err}
		}
		finder.Layouts = append(finder.Layouts, source)
	}
	if finder.Remote, err = f.registry(p); err != nil {
		return nil, usageError{err}
	}
	return &build.Builder{Finder: finder, Platform: platform, Hardening: hardening}, nil
}

// registry is where images are fetched from; nil for nowhere.
func (f *sourceFlags) registry(p *progress) (*oci.Registry, error) {
	if f.offline {
		if f.pull {
			return nil, errors.New("--pull asks registries and --offline does not: give one of them")
		}
		return nil, nil
	}
	mirrors, err := oci.ParseMirrors(f.mirrors)
	if err != nil {
		return nil, err
	}
	transport, err := oci.TransportTrusting(f.certFiles)
	return &oci.Registry{Progress: p, Mirrors: mirrors, Transport: transport}, err
}

type buildFlags struct {
	sourceFlags
	sbom        sbomFlags
	formats     []string
	name, dir   string
	file        string
	initrd      string
	compression string
	report      bool
}

func newBuildCommand() *cobra.Command {
	var f buildFlags
	cmd := &cobra.Command{
		Use:   "build [flags] FILE.yml...",
		Short: "build an image from linuxkit.yml (- reads standard input; several files are merged)",
		RunE: func(_ *cobra.Command, files []string) error {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return f.run(ctx, files)
		},
	}
	f.add(cmd)
	f.sbom.add(cmd)
	flags := cmd.Flags()
	flags.StringSliceVarP(&f.formats, "format", "f", nil, "formats to write, by comma or repeated (default kernel+initrd, with -o tar): "+strings.Join(output.Formats(), ", "))
	flags.StringVar(&f.name, "name", "", "name of the image (default that of the first file)")
	flags.StringVar(&f.dir, "dir", ".", "folder to write the image to")
	flags.StringVarP(&f.file, "o", "o", "", "write one file of this name, - for standard output")
	flags.StringVar(&f.initrd, "initrd", "", "payload: a squashfs that is mounted as it is; cpio: LinuxKit's plain archive (default what the init image understands)")
	flags.StringVar(&f.compression, "compression", "", "of the squashfs, or of a cpio initrd: "+strings.Join(output.Compressions(), ", ")+" (default lz4 for a squashfs in an initrd, else gzip; a cpio has no lz4hc and no xz)")
	flags.BoolVar(&f.report, "report", false, "print what takes the room, by place in the YAML")
	return cmd
}

// check finds what makes no sense together and fills in what was left out.
func (f *buildFlags) check(files []string) error {
	if len(files) == 0 {
		return usageError{errors.New("build: name a linuxkit.yml, or - for standard input")}
	}
	if len(f.formats) == 0 {
		f.formats = []string{"kernel+initrd"}
		if f.file != "" {
			f.formats = []string{"tar"}
		}
	}
	for _, format := range f.formats {
		if err := output.CheckFormat(format); err != nil {
			return usageError{err}
		}
	}
	if f.file != "" && (len(f.formats) != 1 || !output.IsOneFile(f.formats[0])) {
		return usageError{fmt.Errorf("-o writes one file, and %s is not one", strings.Join(f.formats, " and "))}
	}
	if f.file == "-" && f.sbom.file == "-" {
		return usageError{errors.New("-o - and --sbom - cannot both go to standard output")}
	}
	if err := f.sbom.check(); err != nil {
		return err
	}
	if f.name == "" {
		base := filepath.Base(files[0])
		f.name = strings.TrimSuffix(base, filepath.Ext(base))
		if files[0] == yml.Stdin && f.file == "" {
			return usageError{errors.New("build: standard input has no name; say --name")}
		}
	}
	return nil
}

func (f *buildFlags) run(ctx context.Context, files []string) (err error) {
	if err := f.check(files); err != nil {
		return err
	}
	p := newProgress(os.Stderr, f.quiet)
	defer p.clear()
	began := time.Now()
	builder, err := f.builder(p)
	if err != nil {
		return err
	}
	p.step("finding images")
	machine, err := builder.BuildFiles(ctx, files, os.Stdin)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, machine.Close()) }()
	p.warn(machine.Warnings)
	target := &output.Target{Dir: f.dir, Name: f.name, File: f.file, Stdout: os.Stdout}
	defer func() { err = errors.Join(err, target.Discard()) }()
	options := output.Options{
		Initrd: f.initrd, Compression: f.compression,
		Repeats:  builder.Hardening == build.HardeningNone,
		Progress: p.written,
		Arch:     builder.Platform.Architecture,
	}
	if slices.ContainsFunc(f.formats, output.NeedsStub) {
		if options.Stub, err = machine.Stub(ctx, builder); err != nil {
			return err
		}
	}
	list, err := f.sbom.put(ctx, machine, f.name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, list.Discard()) }()
	for _, format := range f.formats {
		p.step("writing " + format)
		if err := output.Write(ctx, format, machine.Root, target, options); err != nil {
			return err
		}
	}
	names, err := target.Commit()
	if err != nil {
		return err
	}
	more, err := list.Commit()
	if err != nil {
		return err
	}
	names = append(names, more...)
	p.done(names, time.Since(began))
	if f.report {
		return machine.WriteReport(os.Stderr)
	}
	return nil
}
