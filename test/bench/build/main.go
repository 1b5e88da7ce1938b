// Command build measures builds, and what the ways to write an initrd cost at
// boot. It writes docs/bench-build.md:
//
//	go run ./test/bench/build -slipway bin/slipway -o docs/bench-build.md
//
// Machines are noisy, so the variants take turns, the median of the rounds
// counts, and what to look at are the ratios within one run.
package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"slipway/pkg/build/oci"
	"slipway/test/bench/document"
)

const preamble = "# Figures of builds\n\nMade by `make bench-build` in one run, the variants in turn, medians of %d rounds.\n" +
	"Compare the ratios; the seconds are this machine's.\n"

type bench struct {
	tool, yml, dir string
	rounds         int
	only           string
	variants       *regexp.Regexp
}

func main() {
	log.SetFlags(0)
	var b bench
	flag.IntVar(&b.rounds, "rounds", 3, "builds and boots of each variant; the median counts")
	flag.StringVar(&b.tool, "slipway", "bin/slipway", "the host tool")
	flag.StringVar(&b.yml, "yml", "linuxkit.yml", "the demo")
	flag.StringVar(&b.only, "only", "", "measure builds or initrds only")
	variants := flag.String("variants", "", "initrds whose name, such as payload-zstd, matches")
	out := flag.String("o", "", "write the tables to this file; what else it has, such as notes, stays")
	flag.Parse()
	b.variants = regexp.MustCompile(*variants)
	if err := b.run(*out); err != nil {
		log.Fatal(err)
	}
}

func (b *bench) run(out string) (err error) {
	if b.tool, err = filepath.Abs(b.tool); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "slipway-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	if err := b.ownStore(); err != nil {
		return err
	}
	doc, err := document.Read(out, fmt.Sprintf(preamble, b.rounds), nil)
	if err != nil {
		return err
	}
	for _, section := range []struct {
		name, heading string
		make          func(*strings.Builder) error
	}{{"builds", "Builds", b.builds}, {"initrds", "How the initrd is written", b.initrds}} {
		if b.only != "" && b.only != section.name {
			continue
		}
		var text strings.Builder
		if err := section.make(&text); err != nil {
			return err
		}
		fmt.Printf("## %s\n\n%s\n", section.heading, text.String())
		doc.Put(section.heading, text.String())
	}
	return doc.Write(out)
}

// ownStore copies the image store: what it keeps of builds is thrown away here,
// and an image of a gigabyte added.
func (b *bench) ownStore() error {
	store := filepath.Join(b.dir, "store")
	if out, err := exec.Command("cp", "-a", oci.StoreDir(), store).CombinedOutput(); err != nil {
		return fmt.Errorf("copy image store: %w: %s", err, out)
	}
	return os.Setenv("SLIPWAY_STORE", store)
}

func median(list []float64) float64 {
	list = slices.Sorted(slices.Values(list))
	return list[len(list)/2]
}
