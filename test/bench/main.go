// Command bench measures Slipway, beside what it is compared with, and writes
// the tables of docs/bench.md.
//
// Machines are noisy, so the stacks take turns, the median of the rounds counts,
// and what to look at is the ratio within one run.
package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"slipway/test/bench/document"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == namespaceArg {
		if err := inNamespace(os.Args[2:]); err != nil {
			log.Fatal(err)
		}
		return
	}
	log.SetFlags(0)
	b := bench{}
	flag.IntVar(&b.rounds, "rounds", 3, "times that each thing is measured; the median counts")
	flag.IntVar(&b.count, "containers", 10, "onboot containers, and as many services, of each stack")
	flag.StringVar(&b.only, "only", "", "measure the stacks whose names contain one of these, such as runc,slipway")
	flag.BoolVar(&b.instructions, "instructions", false, "let a guest's clock count instructions: slower, one CPU, and the same however busy the host is")
	names := flag.String("parts", partNames(false), "what to measure; there is "+partNames(true)+", too")
	out := flag.String("o", "", "write the tables to this file; what it has of other parts, and notes, stay")
	slipway := flag.String("slipway", "bin/slipway", "the host tool")
	flag.Parse()
	chosen, err := choose(*names)
	if err == nil {
		b.tool, err = filepath.Abs(*slipway)
	}
	if err == nil {
		err = b.run(chosen, *out)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// bench is one run over the chosen parts.
type bench struct {
	tool   string
	rounds int
	count  int
	only   string
	dir    string
	out    string // the document

	instructions bool
}

// part measures one thing and gives the text of its section.
type part struct {
	name, heading string
	guests        bool // it boots machines
	slow          bool // it takes long, so that only who names it gets it
	measure       func(*bench) (string, error)
}

const preamble = `# Figures

Made by ` + "`make bench`" + `: what is compared takes turns within one run, and medians count. QEMU
without acceleration (TCG), 2 CPUs, 1 GB. Compare the ratios; the seconds are this machine's.
`

// parts are in the order of the document.
var parts = []part{
	{"boot", "In a VM, from /init", true, false, (*bench).partBoot},
	{"profile", "What a boot is made of", true, false, (*bench).partProfile},
	{"host", "In namespaces on the host, read-only", false, false, (*bench).partHost},
	{"services", "Ten services, twenty, two hundred", true, false, (*bench).partServices},
	{"growth", "Twenty services, two hundred, a thousand", true, true, (*bench).partGrowth},
	{"crash", "Beside a service that crashes without end", true, false, (*bench).partCrash},
	{"machine", "The state machine", false, false, (*bench).partMachine},
}

// counted ends the heading of what was measured in instructions: it has a
// section beside that in seconds.
const counted = ", in instructions"

func (b *bench) heading(p part) string {
	if b.instructions && p.guests {
		return p.heading + counted
	}
	return p.heading
}

// headings are those of all parts, in the order of the document.
func headings() (list []string) {
	for _, p := range parts {
		list = append(list, p.heading)
		if p.guests {
			list = append(list, p.heading+counted)
		}
	}
	return list
}

func partNames(slow bool) string {
	var names []string
	for _, p := range parts {
		if p.slow == slow {
			names = append(names, p.name)
		}
	}
	return strings.Join(names, ",")
}

func choose(names string) ([]part, error) {
	var chosen []part
	for name := range strings.SplitSeq(names, ",") {
		before := len(chosen)
		for _, p := range parts {
			if p.name == name {
				chosen = append(chosen, p)
			}
		}
		if len(chosen) == before {
			return nil, fmt.Errorf("no part %q; there are %s,%s", name, partNames(false), partNames(true))
		}
	}
	return chosen, nil
}

// run measures and writes what there is after each part: they take minutes.
func (b *bench) run(chosen []part, out string) (err error) {
	b.out = out
	b.dir, err = os.MkdirTemp("", "slipway-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	doc, err := document.Read(out, preamble, headings())
	if err != nil {
		return err
	}
	for _, p := range chosen {
		text, err := p.measure(b)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		heading := b.heading(p)
		fmt.Printf("## %s\n\n%s\n", heading, text)
		doc.Put(heading, text)
		if err := doc.Write(out); err != nil {
			return err
		}
	}
	return nil
}
