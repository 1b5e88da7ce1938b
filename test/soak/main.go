// Command soak does to Slipway, for hours, what chance may do to it in years:
// boots, power cuts, runtimes and supervisors killed at any moment, bundles from
// hostile hands, disks that fail, containers that take all there is. `make soak`
// runs it; the tests of this package are its short form.
//
// A try that fails is told with what it left behind, and the rest goes on. What
// is random prints its seed and takes it again. Each part adds a line to the
// table that docs/reliability.md quotes.
package main

import (
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	if done, status := special(os.Args); done {
		os.Exit(status)
	}
	log.SetFlags(log.Ltime)
	s := &soak{seed: uint64(rand.Uint32())}
	names := flag.String("parts", partNames(), "what to do")
	flag.IntVar(&s.count, "count", 0, "tries of each part; 0: its own number")
	flag.Uint64Var(&s.seed, "seed", s.seed, "what chance begins with")
	flag.StringVar(&s.only, "only", "", "only the hostile bundles whose names match this; !PATTERN: all others")
	flag.IntVar(&s.cpus, "cpus", 2, "processors of the machines")
	flag.StringVar(&s.dir, "dir", "build/soak", "where machines and what failures leave behind lie")
	flag.StringVar(&s.runc, "runc", "bin/runc", "the OCI runtime for the parts on this machine")
	out := flag.String("o", "", "add a line for each part to the table in this file")
	flag.Parse()
	chosen, err := choose(*names)
	if err == nil {
		err = s.prepare()
	}
	if err != nil {
		log.Fatal(err)
	}
	failures := 0
	for _, p := range chosen {
		t := s.do(p)
		failures += t.failures
		if err := t.add(*out); err != nil {
			log.Fatal(err)
		}
	}
	if failures > 0 {
		log.Fatalf("%d failures", failures)
	}
}

// special is this program as something else: inside namespaces, or around a
// runtime that is to be killed.
func special(args []string) (done bool, status int) {
	if len(args) < 2 {
		return false, 0
	}
	switch args[1] {
	case namespaceArg:
		return true, inNamespace(args[2:])
	case insideArg:
		return true, inside(args[2:])
	case stepArg:
		return true, step(args[2:])
	}
	return false, 0
}

// soak is one run over the chosen parts.
type soak struct {
	dir   string
	only  string
	runc  string
	seed  uint64
	count int
	cpus  int  // of each machine
	short bool // the tests of this package

	helper string // the guest's program
}

// part is one kind of harm.
type part struct {
	name, about string
	count       int // tries by hand; in make test it is short
	short       int
	run         func(*soak, *tally) error
}

// parts are in the order they run in.
var parts = []part{
	{"boots", "boots in a row, each with onboot steps, services and power-off", 1000, 1, (*soak).boots},
	{"cuts", "power cuts with writes lost and out of order", 100, 4, (*soak).cuts},
	{"runc", "runc killed at its system calls, for each of run, create, start, delete, exec", 1000, 40, (*soak).runtime},
	{"bundles", "hostile bundles, each by itself", 1000, 120, (*soak).bundles},
	{"machines", "hostile bundles, 150 in a machine", 10, 1, (*soak).machines},
	{"supervisor", "the supervisor killed a thousand times under load, and in a machine", 5, 0, (*soak).supervisor},
	{"commands", "random commands in a machine against the model of states", 200, 5, (*soak).commands},
	{"disks", "a disk that fails, goes, freezes or hangs, in run and in shutdown", 42, 0, (*soak).disks},
	{"attacks", "processes, memory, descriptors, layers and logs taken without end", 10, 0, (*soak).attacks},
}

func partNames() string {
	var names []string
	for _, p := range parts {
		names = append(names, p.name)
	}
	return strings.Join(names, ",")
}

func choose(names string) (chosen []part, err error) {
	for name := range strings.SplitSeq(names, ",") {
		before := len(chosen)
		for _, p := range parts {
			if p.name == name {
				chosen = append(chosen, p)
			}
		}
		if len(chosen) == before {
			return nil, fmt.Errorf("no part %q; there are %s", name, partNames())
		}
	}
	return chosen, nil
}

func (s *soak) prepare() (err error) {
	if os.Getuid() != 0 {
		return fmt.Errorf("needs root, for namespaces and mounts")
	}
	if s.runc, err = filepath.Abs(s.runc); err != nil {
		return err
	}
	return os.MkdirAll(s.dir, 0o755)
}

// do runs one part to its end.
func (s *soak) do(p part) *tally {
	t := newTally(p.name, s.seed, s.count)
	if t.wanted == 0 {
		t.wanted = p.count
	}
	log.Printf("%s: %s: %d tries, seed %d", p.name, p.about, t.wanted, s.seed)
	if err := p.run(s, t); err != nil {
		t.result("the part itself", err)
	}
	log.Print(t)
	return t
}

// random is where the chance of a part begins, by its name.
func (t *tally) random() *rand.Rand {
	var n uint64
	for _, c := range t.part {
		n = n*31 + uint64(c)
	}
	return rand.New(rand.NewPCG(t.seed, n))
}
