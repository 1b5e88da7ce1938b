package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"slipway/pkg/build"
	"slipway/pkg/build/disk"
	"slipway/pkg/build/lock"
	"slipway/pkg/build/oci"
	"slipway/pkg/build/output"
	"slipway/pkg/build/signature"
	"slipway/pkg/build/yml"
)

// useLock has a builder take the images of the lock file beside the last YAML file,
// if there is one.
func (f *sourceFlags) useLock(b *build.Builder, from *oci.Finder, files []string) (*lock.Finder, error) {
	finder := &lock.Finder{Finder: from, Path: lock.Path(files[len(files)-1]), Machine: b.Platform}
	b.Finder = finder
	var err error
	if finder.Keys, err = f.allKeys(nil); err != nil || finder.Path == "" {
		return finder, err
	}
	file, err := lock.Read(finder.Path)
	if err != nil || file == nil {
		return finder, err
	}
	if finder.Keys, err = f.allKeys(file); err != nil {
		return finder, err
	}
	if finder.Images = file.Images[b.Platform.String()]; finder.Images == nil {
		finder.Images = map[string]string{}
	}
	return finder, nil
}

// allKeys are those of --verify and those of the lock file, if there is one: neither
// makes the other's demand less.
func (f *sourceFlags) allKeys(file *lock.File) ([]signature.Keys, error) {
	var all []signature.Keys
	asked, err := f.keys()
	if err != nil {
		return nil, err
	}
	if len(asked) > 0 {
		all = append(all, asked)
	}
	if file == nil || len(file.Verify) == 0 {
		return all, nil
	}
	locked, err := file.Keys()
	return append(all, locked), err
}

// tellMoved says which names mean other images than those that were taken.
func tellMoved(p *progress, f *lock.Finder, yaml string) {
	moved := f.Moved()
	for _, key := range slices.Sorted(maps.Keys(moved)) {
		p.note(fmt.Sprintf("%s has moved: %s locks it to %.19s, by its name it is %.19s now; `slipway images update %s` takes that",
			key, f.Path, f.Images[key], moved[key], yaml))
	}
}

// stageLock writes the lock file with the images that were found; it takes its name
// by Commit. What it says of other platforms, and of the EFI stub, which not every
// format takes, stays.
func stageLock(f *lock.Finder, keys signature.Keys, yaml string) (*output.Target, error) {
	target := &output.Target{File: f.Path}
	file, err := lock.Read(f.Path)
	if err != nil {
		return target, err
	}
	if file == nil {
		file = lock.New()
	}
	found := f.Found()
	if stub := f.Images[disk.StubImage]; stub != "" && found[disk.StubImage] == "" {
		found[disk.StubImage] = stub
	}
	file.Images[f.Machine.String()] = found
	if len(file.Verify) == 0 { // one key more would ask less
		for _, key := range keys {
			file.Verify = append(file.Verify, key.PEM)
		}
	}
	return target, writeLock(target, file, yaml)
}

func writeLock(target *output.Target, file *lock.File, yaml string) error {
	text, err := file.Text(yaml)
	if err == nil {
		err = target.WriteFile("", func(w *os.File) error {
			_, err := w.Write(text)
			return errors.Join(err, w.Sync())
		})
	}
	if err != nil {
		return fmt.Errorf("write lock file %s: %w", target.File, err)
	}
	return nil
}

func newUpdateCommand() *cobra.Command {
	var f sourceFlags
	cmd := &cobra.Command{
		Use:   "update [flags] FILE.yml...",
		Short: "renew the lock file beside linuxkit.yml with what its images are now",
		Long: `Renew the lock file beside linuxkit.yml (m.lock for m.yml) with the digests that its
images have now, in the layouts given, the local store and their registries, and say
what has changed. All platforms that the file has are renewed, or the one that
--platform names.`,
		RunE: func(cmd *cobra.Command, files []string) error {
			if len(files) == 0 || lock.Path(files[len(files)-1]) == "" {
				return usageError{errors.New("images update: name a linuxkit.yml: its lock file lies beside it")}
			}
			one := cmd.Flags().Changed("platform") || cmd.Flags().Changed("arch")
			return interruptible(func(ctx context.Context) error { return f.update(ctx, files, one) })
		},
	}
	f.add(cmd)
	completeYAML(cmd)
	return cmd
}

// update renews the lock file for all platforms that it has, or for one.
func (f *sourceFlags) update(ctx context.Context, files []string, one bool) (err error) {
	p := newProgress(os.Stderr, f.quiet)
	defer p.clear()
	yaml := files[len(files)-1]
	target := &output.Target{File: lock.Path(yaml)}
	file, err := lock.Read(target.File)
	if err != nil {
		return err
	}
	if file == nil {
		file = lock.New()
	}
	platforms := slices.Sorted(maps.Keys(file.Images))
	if one || len(platforms) == 0 {
		platforms = []string{f.platform}
	}
	same := true
	for _, platform := range platforms {
		f.platform = platform
		machine, found, err := f.digests(ctx, p, files, file)
		if err != nil {
			return err
		}
		for _, line := range changes(file.Images[machine], found) {
			p.note(fmt.Sprintf("%s: %s", machine, line))
			same = false
		}
		file.Images[machine] = found
	}
	if same {
		p.note(target.File + " is up to date")
		return nil
	}
	defer func() { err = errors.Join(err, target.Discard()) }()
	if err := writeLock(target, file, yaml); err != nil {
		return err
	}
	_, err = target.Commit()
	return err
}

// digests are those of all images for one platform of the machine, as they are now.
func (f *sourceFlags) digests(ctx context.Context, p *progress, files []string, old *lock.File) (string, map[string]string, error) {
	builder, from, err := f.builder(p)
	if err != nil {
		return "", nil, err
	}
	from.Pull = !f.offline
	finder := &lock.Finder{Finder: from, Machine: builder.Platform}
	if finder.Keys, err = f.allKeys(old); err != nil {
		return "", nil, err
	}
	builder.Finder = finder
	faults, err := builder.Find(ctx, files, os.Stdin)
	if err == nil {
		err = faults.Only(yml.Error).Err()
	}
	if err != nil {
		return "", nil, err
	}
	machine := builder.Platform.String()
	if old.Images[machine][disk.StubImage] != "" {
		if _, err := finder.Get(ctx, disk.StubImage, builder.Platform); err != nil {
			return "", nil, err
		}
	}
	return machine, finder.Found(), nil
}

// changes tells what is new, what has moved and what is not named any more.
func changes(old, now map[string]string) []string {
	var lines []string
	keys := maps.Clone(now)
	maps.Copy(keys, old)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		switch was, is := old[key], now[key]; {
		case was == is:
		case was == "":
			lines = append(lines, key+" is new: "+is)
		case is == "":
			lines = append(lines, key+" is not named any more")
		default:
			lines = append(lines, key+" has moved from "+was+" to "+is)
		}
	}
	return lines
}
