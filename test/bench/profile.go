package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"slipway/pkg/machine"
	"slipway/pkg/timeline"
)

// profileScript shows the timeline that the boot has left. The console has other lines, too.
const profileScript = `
sleep 5
while read -r line; do echo "BENCH timeline $line"; done <` + machine.Run + "/" + machine.Timeline + `
`

// profileChart lies beside the document.
const profileChart = "bench-boot.svg"

// entry is a row of the profile.
type entry struct {
	what string
	took time.Duration
}

// partProfile tells what each step of a boot takes, with either engine.
func (b *bench) partProfile() (string, error) {
	var columns [][]entry
	engines := []struct{ name, image string }{{"runc", imgRunc}, {"crun", imgCrun}}
	for _, engine := range engines {
		spans, err := b.profile(engine.image)
		if err != nil {
			return "", fmt.Errorf("%s: %w", engine.name, err)
		}
		columns = append(columns, entries(spans))
		if engine.name == "runc" && b.out != "" {
			if err := chart(filepath.Join(filepath.Dir(b.out), profileChart), spans); err != nil {
				return "", err
			}
		}
	}
	return b.clock() + fmt.Sprintf("%d onboot containers and %d services, from power-on. Services are started side by side: what one takes has\n"+
		"others in it. `service analyze` has its figures from the same file.\n\n![The boot with runc on a time axis](%s)\n\n", b.count, b.count, profileChart) +
		profileTable(columns), nil
}

// profile boots one machine and reads its timeline.
func (b *bench) profile(engine string) ([]timeline.Span, error) {
	const name = "profile"
	if err := b.image(name, guest{onboot: b.count, services: b.count, engine: engine, script: profileScript}.yaml()); err != nil {
		return nil, err
	}
	console, err := b.console(name)
	if err != nil {
		return nil, err
	}
	var lines strings.Builder
	for line := range strings.Lines(console) {
		if text, ok := strings.CutPrefix(line, "BENCH timeline "); ok {
			lines.WriteString(text)
		}
	}
	spans, err := timeline.Read(strings.NewReader(lines.String()))
	if word, counts := timeline.Outcome(spans); err != nil || word != "ready" || len(spans) < 2*b.count {
		return nil, errors.Join(err, fmt.Errorf("%d spans, %s%s\n%s", len(spans), word, counts, console))
	}
	return spans, nil
}

func chart(file string, spans []timeline.Span) error {
	var svg strings.Builder
	if err := timeline.Plot(&svg, "a boot in instructions", spans); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(svg.String()), 0o644)
}

// entries are the steps of PID 1, and of containers the first one and the middle of the others.
func entries(spans []timeline.Span) []entry {
	var all []entry
	var end time.Duration
	containers := map[string][]timeline.Unit{}
	for _, p := range timeline.Analyze(spans) {
		if p.Phase == timeline.PhaseKernel {
			all = append(all, entry{"kernel, and what came before it", p.End})
		}
		end = max(end, p.End)
	}
	for _, u := range timeline.Units(spans) {
		switch u.Phase {
		case timeline.PhaseInit:
			all = append(all, entry{"PID 1: " + u.Name, u.Took()})
		case timeline.PhaseOnboot, timeline.PhaseServices:
			containers[u.Phase] = append(containers[u.Phase], u)
		}
	}
	for _, phase := range []string{timeline.PhaseOnboot, timeline.PhaseServices} {
		if units := containers[phase]; len(units) > 1 {
			all = append(all, entry{phase + ", the first", units[0].Took()})
			all = append(all, others(phase, units[1:])...)
		}
	}
	return append(all, entry{"all, until the last service is there", end})
}

// others are the middles of what containers take, and of each of their steps.
func others(phase string, units []timeline.Unit) []entry {
	var names []string
	took := map[string][]float64{}
	add := func(name string, d time.Duration) {
		if took[name] == nil {
			names = append(names, name)
		}
		took[name] = append(took[name], float64(d))
	}
	for _, u := range units {
		add(phase+", each other", u.Took())
		for _, s := range u.Steps {
			if s.Name == timeline.StepRun {
				continue // it has the others in it, and of a service it is not over
			}
			add(phase+", of it "+s.Name, s.Took())
		}
	}
	var all []entry
	for _, name := range names {
		all = append(all, entry{name, time.Duration(median(took[name]))})
	}
	return all
}

// leastShown is what a step of PID 1 has to take to have a row of its own.
const leastShown = 500 * time.Microsecond

func profileTable(columns [][]entry) string {
	var m strings.Builder
	m.WriteString("| step | with runc (ms) | with crun (ms) |\n| --- | --- | --- |\n")
	find := func(column []entry, what string) (took time.Duration) {
		for _, e := range column {
			if e.what == what {
				took += e.took
			}
		}
		return took
	}
	var small [2]time.Duration
	for _, e := range columns[0] {
		a, b := find(columns[0], e.what), find(columns[1], e.what)
		if strings.HasPrefix(e.what, "PID 1: ") && max(a, b) < leastShown {
			small[0], small[1] = small[0]+a, small[1]+b
			continue
		}
		fmt.Fprintf(&m, "| %s | %.1f | %.1f |\n", e.what, ms(a), ms(b))
	}
	fmt.Fprintf(&m, "| PID 1: all steps of less than %.1f | %.1f | %.1f |\n", ms(leastShown), ms(small[0]), ms(small[1]))
	return m.String()
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
