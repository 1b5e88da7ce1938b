package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"slipway/pkg/build/yml"
)

// linuxkitFlags are flags of LinuxKit's build that scripts pass and that mean
// little here: they are taken where nothing is lost by it, else refused with
// the way to do it.
type linuxkitFlags struct {
	size        string
	inputTar    string
	docker      bool
	sbomCurrent bool
}

func (f *linuxkitFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.size, "size", "", "of a disk that LinuxKit's tool would make, such as 1024M; ours are as large as what is on them")
	flags.StringVar(&f.inputTar, "input-tar", "", "an earlier build's tar; not needed, since layers come from the local store")
	flags.BoolVar(&f.docker, "docker", false, "not possible here: no Docker daemon is asked")
	flags.BoolVar(&f.sbomCurrent, "sbom-current-time", false, "not possible here: the same inputs give the same bytes")
	for _, name := range []string{"size", "input-tar", "docker", "sbom-current-time"} {
		flags.Lookup(name).Hidden = true
	}
}

var diskSize = regexp.MustCompile(`^[0-9]+[MG]?$`)

func (f *linuxkitFlags) check() error {
	switch {
	case f.docker:
		return errors.New("--docker: no Docker daemon is asked; write the image to a tar (docker save IMAGE -o image.tar) and name it with --oci image.tar")
	case f.sbomCurrent:
		return errors.New("--sbom-current-time: images have no time of their own, so that the same inputs give the same bytes; leave it out")
	case f.size != "" && !diskSize.MatchString(f.size):
		return fmt.Errorf("--size %q: want a number with M or G, such as 1024M", f.size)
	}
	return nil
}

// note says what had no effect.
func (f *linuxkitFlags) note(p *progress) {
	if f.size != "" {
		p.step("--size has no effect: disks are as large as what is on them; qemu-img resize makes one larger")
	}
	if f.inputTar != "" {
		p.step("--input-tar has no effect: layers come from the local store")
	}
}

// printMerged prints the configuration that a build would be made from.
func printMerged(ctx context.Context, files []string) error {
	c, faults, err := yml.Read(ctx, files, os.Stdin)
	if err != nil {
		return err
	}
	if len(faults.Only(yml.Error)) > 0 {
		return faults.Err()
	}
	out := yaml.NewEncoder(os.Stdout)
	out.SetIndent(2)
	return errors.Join(out.Encode(c), out.Close())
}
