// Command bench measures how long a machine takes from /init to its last
// service, for Slipway and for what it is compared with, in one run, and writes
// the table of docs/bench.md.
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
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == namespaceArg {
		if err := inNamespace(os.Args[2:]); err != nil {
			log.Fatal(err)
		}
		return
	}
	log.SetFlags(0)
	rounds := flag.Int("rounds", 3, "boots of each stack; the median counts")
	count := flag.Int("containers", 10, "onboot containers, and as many services")
	out := flag.String("o", "", "write the table to this file")
	slipway := flag.String("slipway", "bin/slipway", "the host tool")
	only := flag.String("only", "", "measure the stacks whose name contains this")
	flag.Parse()
	tool, err := filepath.Abs(*slipway)
	if err != nil {
		log.Fatal(err)
	}
	b := bench{tool: tool, rounds: *rounds, count: *count, only: *only}
	if err := b.run(*out); err != nil {
		log.Fatal(err)
	}
}

// bench is one run over all stacks.
type bench struct {
	tool   string
	rounds int
	count  int
	only   string
	dir    string
}

func (b *bench) run(out string) (err error) {
	dir, err := os.MkdirTemp("", "slipway-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b.dir = dir
	table, err := b.measure()
	if err != nil {
		return err
	}
	text := table.markdown(b)
	fmt.Print(text)
	if out == "" {
		return nil
	}
	return os.WriteFile(out, []byte(text), 0o644)
}
