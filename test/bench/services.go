package main

import (
	"errors"
	"fmt"
	"log"
	"slices"
	"strings"
)

// idleScript watches for a minute in which nothing happens, once the boot's
// last work is over, if the command line says so.
const idleScript = `
case " $(cat /proc/cmdline) " in *" ` + idleOption + ` "*)
	sleep 10
	SAMPLE=before bench-sample
	sleep 60
	SAMPLE=after bench-sample
esac
`

const idleOption = "bench.idle"

// countScript counts the services that run: a boot that did not start all is no
// measurement.
const countScript = `
n=0
for p in /proc/[0-9]*/cmdline; do
	case $(tr '\0' ' ' <"$p" 2>/dev/null) in "/bin/sleep 100000 ") n=$((n + 1)) ;; esac
done
echo "BENCH running $n"
`

// ours are the processes that make a machine of ours, beside containers.
var ours = []string{"PID 1", "supervisor"}

// partServices measures memory and idleness with 10 and with 200 services, and
// how long the start of 200 takes beside that of 20.
func (b *bench) partServices() (string, error) {
	counts := []int{10, 20, 200}
	starts := map[int][]float64{}
	idle := map[int]*record{}
	for _, n := range counts {
		if err := b.image(guestName(n), guest{services: n, script: countScript + idleScript}.yaml()); err != nil {
			return "", err
		}
	}
	for round := range b.rounds {
		for _, n := range counts {
			var flags []string
			if round == 0 {
				flags = []string{"--append", idleOption}
			} else if n == 10 {
				continue
			}
			r, err := b.services(n, flags...)
			if err != nil {
				return "", err
			}
			took, err := r.took("begin", "end")
			if err != nil {
				return "", err
			}
			log.Printf("%d services: started in %.2f s, %.3f s each", n, took, took/float64(n))
			starts[n] = append(starts[n], took/float64(n))
			if round == 0 {
				idle[n] = r
			}
		}
	}
	text, err := idleTable(idle)
	return b.clock() + startTable(starts) + "\n" + text, err
}

func guestName(n int) string { return fmt.Sprintf("services%d", n) }

// services boots a machine with n services.
func (b *bench) services(n int, flags ...string) (*record, error) {
	console, err := b.console(guestName(n), flags...)
	if err != nil {
		return nil, err
	}
	r, err := parseRecord(console)
	if err == nil && !slices.EqualFunc(r.said["running"], [][]float64{{float64(n)}}, slices.Equal) {
		err = fmt.Errorf("of %d services run %v", n, r.said["running"])
	}
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, console)
	}
	return r, nil
}

func startTable(starts map[int][]float64) string {
	var m strings.Builder
	m.WriteString("From `020-services` until all are started:\n\n| services | each (ms) | ratio |\n| --- | --- | --- |\n")
	few, many := median(starts[20]), median(starts[200])
	fmt.Fprintf(&m, "| 20 | %.0f | 1.00 |\n| 200 | %.0f | %.2f |\n", few*1000, many*1000, many/few)
	return m.String()
}

// idleTable is of one boot each: memory hardly differs from boot to boot, and a
// wake-up without a cause would be there in all.
func idleTable(idle map[int]*record) (string, error) {
	var m strings.Builder
	m.WriteString("Memory when all are started, and a minute in which nothing happens. A tick is 10 ms of CPU; a wake-up\n" +
		"is a voluntary context switch of any thread.\n\n" +
		"| services | process | RSS (kB) | PSS (kB) | ticks in 60 s | wake-ups in 60 s | preempted |\n| --- | --- | --- | --- | --- | --- | --- |\n")
	for _, n := range []int{10, 200} {
		for name := range idle[n].samples["after"] {
			if !slices.Contains(ours, name) {
				return "", fmt.Errorf("what is %q, beside PID 1 and the supervisor?", name)
			}
		}
		for _, name := range ours {
			s, err := idle[n].spent("before", "after", name)
			if err != nil {
				return "", err
			}
			size := idle[n].samples["after"][name]
			fmt.Fprintf(&m, "| %d | %s | %.0f | %.0f | %.0f | %.0f | %.0f |\n", n, name, size.rss, size.pss, s.ticks, s.voluntary, s.forced)
		}
	}
	if len(idle) == 0 {
		return "", errors.New("nothing was measured")
	}
	return m.String(), nil
}
