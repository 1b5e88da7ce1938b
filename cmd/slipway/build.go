package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"slipway/pkg/build"
	"slipway/pkg/build/lock"
	"slipway/pkg/build/output"
	"slipway/pkg/build/spec"
	"slipway/pkg/build/yml"
)

type buildFlags struct {
	sourceFlags
	sbom        sbomFlags
	formats     []string
	name, dir   string
	file        string
	initrd      string
	compression string
	report      bool
	decompress  bool
	dryRun      bool
	lock        bool
	linuxkit    linuxkitFlags
}

func newBuildCommand() *cobra.Command {
	var f buildFlags
	cmd := &cobra.Command{
		Use:   "build [flags] FILE.yml...",
		Short: "build an image from linuxkit.yml (- reads standard input; several files are merged)",
		RunE: func(_ *cobra.Command, files []string) error {
			return interruptible(func(ctx context.Context) error { return f.run(ctx, files) })
		},
	}
	f.add(cmd)
	f.sbom.add(cmd)
	f.linuxkit.add(cmd)
	flags := cmd.Flags()
	flags.StringSliceVarP(&f.formats, "format", "f", nil, "formats to write, by comma or repeated (default kernel+initrd, with -o tar): "+strings.Join(output.Formats(), ", "))
	flags.StringVar(&f.name, "name", "", "name of the image (default that of the last file; moby for standard input)")
	flags.StringVar(&f.dir, "dir", ".", "directory to write the image to")
	flags.StringVarP(&f.file, "o", "o", "", "write one file of this name, - for standard output")
	flags.StringVar(&f.initrd, "initrd", "", "payload: a squashfs that is mounted as it is; cpio: LinuxKit's plain archive (default what the init image understands)")
	flags.StringVar(&f.compression, "compression", "", "of the squashfs, or of a cpio initrd: "+strings.Join(output.Compressions(), ", ")+" (default lz4 for a squashfs in an initrd, else gzip; a cpio has no lz4hc and no xz)")
	flags.BoolVar(&f.decompress, "decompress-kernel", false, "put the kernel into the image without its own compression")
	flags.BoolVar(&f.dryRun, "dry-run", false, "print the YAML that would be built, all files merged, and build nothing")
	flags.BoolVar(&f.report, "report", false, "print what takes the room, by place in the YAML")
	flags.BoolVar(&f.lock, "lock", false, "write the digests of all images to a lock file beside the last YAML (m.lock for m.yml), which later builds go by; what is locked already stays")
	completeYAML(cmd)
	directories(cmd, "dir")
	return cmd
}

// check finds what makes no sense together and fills in what was left out.
func (f *buildFlags) check(files []string) error {
	if len(files) == 0 {
		return usageError{errors.New("build: name a linuxkit.yml, or - for standard input")}
	}
	if err := f.linuxkit.check(); err != nil {
		return usageError{err}
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
	if err := output.CheckOptions(f.initrd, f.compression); err != nil {
		return usageError{err}
	}
	if f.file != "" && (len(f.formats) != 1 || !output.IsOneFile(f.formats[0])) {
		return usageError{fmt.Errorf("-o writes one file, and %s is not one", strings.Join(f.formats, " and "))}
	}
	if f.lock && lock.Path(files[len(files)-1]) == "" {
		return usageError{errors.New("--lock: the lock file lies beside a linuxkit.yml, and the last one is no file")}
	}
	if err := f.checkOutputs(files); err != nil {
		return usageError{err}
	}
	if err := f.sbom.check(f.hardening == string(spec.HardeningNone)); err != nil {
		return err
	}
	f.name = cmp.Or(f.name, imageName(files[len(files)-1]))
	return f.checkDirs()
}

// checkOutputs finds files that would be written over what is read, or over each
// other.
func (f *buildFlags) checkOutputs(files []string) error {
	if f.file == "-" && f.sbom.file == "-" {
		return errors.New("-o - and --sbom - cannot both go to standard output")
	}
	if f.file != "" && f.file != "-" && sameFile(f.file, f.sbom.file) {
		return fmt.Errorf("-o and --sbom both write %s", f.file)
	}
	for flag, name := range map[string]string{"-o": f.file, "--sbom": f.sbom.file} {
		if name == "" || name == "-" {
			continue
		}
		if info, err := os.Stat(name); err == nil && info.IsDir() {
			return fmt.Errorf("%s %s: it is a directory, and a file is wanted", flag, name)
		}
		if slices.ContainsFunc(files, func(yaml string) bool { return sameFile(name, yaml) }) {
			return fmt.Errorf("%s %s: that is the YAML itself", flag, name)
		}
	}
	return nil
}

// checkDirs finds out before the build whether its files can be written.
func (f *buildFlags) checkDirs() error {
	files := map[string]string{"--dir": filepath.Join(f.dir, f.name)}
	if f.file != "" {
		files = map[string]string{"-o": f.file}
	}
	files["--sbom"] = f.sbom.file
	for flag, name := range files {
		if name == "" || name == "-" {
			continue
		}
		if info, err := os.Lstat(name); err == nil && !info.Mode().IsRegular() {
			continue // a pipe, which is written to, or a link: the file may lie elsewhere
		}
		if err := checkWritable(filepath.Dir(name)); err != nil {
			return fmt.Errorf("%s %s: %w", flag, name, err)
		}
	}
	return nil
}

// checkWritable tells whether files can be made in a directory, which is made itself if
// it is not there.
func checkWritable(dir string) error {
	for {
		info, err := os.Stat(dir)
		switch {
		case errors.Is(err, os.ErrNotExist) && dir != filepath.Dir(dir):
			dir = filepath.Dir(dir)
			continue
		case err != nil:
			return err
		case !info.IsDir():
			return fmt.Errorf("%s is no directory", dir)
		}
		if err := unix.Access(dir, unix.W_OK); err != nil {
			return fmt.Errorf("directory %s: %w", dir, err)
		}
		return nil
	}
}

// sameFile tells whether two names are of one file, which need not be there yet.
func sameFile(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	if errA == nil && errB == nil {
		return infoA.Mode().IsRegular() && os.SameFile(infoA, infoB)
	}
	return filepath.Clean(a) == filepath.Clean(b)
}

// imageName is the default, LinuxKit's: the last file's, without its suffix.
func imageName(file string) string {
	if file == yml.Stdin {
		return "moby"
	}
	base := filepath.Base(file)
	return strings.TrimSuffix(base, filepath.Ext(base))
}

func (f *buildFlags) run(ctx context.Context, files []string) (err error) {
	if err := f.check(files); err != nil {
		return err
	}
	if f.dryRun {
		return printMerged(ctx, files)
	}
	p := newProgress(os.Stderr, f.quiet)
	defer p.clear()
	began := time.Now()
	builder, from, err := f.builder(p)
	if err != nil {
		return err
	}
	finder, err := f.useLock(builder, from, files)
	if err != nil {
		return err
	}
	finder.Add = f.lock
	builder.DecompressKernel = f.decompress
	f.linuxkit.note(p)
	p.step("finding images")
	machine, err := builder.BuildFiles(ctx, files, os.Stdin)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, machine.Close()) }()
	p.warn(machine.Warnings)
	names, err := f.write(ctx, p, builder, machine, finder, files)
	if err != nil {
		return err
	}
	tellMoved(p, finder, files[len(files)-1])
	p.done(names, time.Since(began))
	if f.report {
		return machine.WriteReport(os.Stderr)
	}
	return nil
}

// write writes the image in all formats, and what is told about it. Nothing has its
// name before all is complete.
func (f *buildFlags) write(ctx context.Context, p *progress, builder *build.Builder, machine *build.Machine, finder *lock.Finder, files []string) (names []string, err error) {
	target := &output.Target{Dir: f.dir, Name: f.name, File: f.file, Stdout: os.Stdout}
	defer func() { err = errors.Join(err, target.Discard()) }()
	options := output.Options{
		Initrd: f.initrd, Compression: f.compression,
		Repeats:  builder.Hardening == spec.HardeningNone,
		Progress: p.written,
		Arch:     builder.Platform.Architecture,
	}
	if slices.ContainsFunc(f.formats, output.NeedsStub) {
		if options.Stub, err = machine.Stub(ctx, builder); err != nil {
			return nil, err
		}
	}
	for _, format := range f.formats {
		lost, err := machine.CheckFormat(format, options)
		if err != nil {
			return nil, err
		}
		p.warn(lost)
	}
	list, err := f.sbom.put(ctx, machine, f.name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, list.Discard()) }()
	for _, format := range f.formats {
		p.step("writing " + format)
		if err := output.Write(ctx, format, machine.Root, target, options); err != nil {
			return nil, err
		}
	}
	locked := &output.Target{}
	if f.lock {
		keys, err := f.keys()
		if err == nil {
			locked, err = stageLock(finder, keys, files[len(files)-1])
		}
		if err != nil {
			return nil, errors.Join(err, locked.Discard())
		}
	}
	defer func() { err = errors.Join(err, locked.Discard()) }()
	for _, t := range []*output.Target{target, list, locked} {
		more, err := t.Commit()
		if err != nil {
			return nil, err
		}
		names = append(names, more...)
	}
	return names, nil
}
