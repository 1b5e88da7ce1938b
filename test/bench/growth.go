package main

import (
	"errors"
	"fmt"
	"log"
	"regexp"
	"strings"
)

// growthCounts are the services of each machine; the ratios are to the first.
var growthCounts = []int{20, 200, 1000}

// growthMemory is in MB: a thousand containers need half of it.
const growthMemory = "4096"

// growthScript asks for the list, kills the supervisor and waits until the next one
// answers with all, and asks for the power-off, whose time the kernel's last line tells.
// Each step comes a while after the one before, so that nothing of that is in it.
const growthScript = `
free() { while read -r k v _; do case $k in MemAvailable:) echo "BENCH memory $v" ;; esac; done </proc/meminfo; }
sleep 10
free
SAMPLE=started bench-sample
bench-now ask
service list >/run/list
bench-now answer
n=0
while read -r _ state _; do [ "$state" = ready ] && n=$((n + 1)); done </run/list
echo "BENCH running $n"
for p in /proc/[0-9]*; do
	case $(readlink "$p/exe") in /usr/bin/service) case $(tr '\0' ' ' <"$p/cmdline") in *supervise*) pid=${p#/proc/} ;; esac ;; esac
done
bench-now kill
kill -9 "$pid"
until service list >/run/list 2>/run/none; do :; done
bench-now back
sleep 10
bench-now down
poweroff
sleep 1000
`

// growth is what a machine with so many services took, in seconds of its clock and in kB.
type growth struct {
	start, list, takeover, down, used, rss float64
}

var downLine = regexp.MustCompile(`\[ *([\d.]+)\] reboot: Power down`)

// partGrowth boots machines with more and more services, with either engine.
func (b *bench) partGrowth() (string, error) {
	var m strings.Builder
	m.WriteString(b.clock() + "From `020-services` until all are started, for each service; `service list`; from the supervisor's death until the\n" +
		"next one answers with the list; from the request to the power-off, for each service; what the machine\n" +
		"has less of memory then, for each service, and the supervisor's. " + growthMemory + " MB.\n\n" +
		"| engine | services | start (ms) | ratio | list (ms) | takeover (ms) | shutdown (ms) | ratio | memory (kB) | supervisor (kB) |\n" +
		"| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for _, engine := range []struct{ name, image string }{{"crun", imgCrun}, {"runc", imgRunc}} {
		if !b.wanted(engine.name) {
			continue
		}
		var first growth
		for i, n := range growthCounts {
			got, err := b.grow(engine.image, n)
			if err != nil {
				return "", fmt.Errorf("%s, %d services: %w", engine.name, n, err)
			}
			if i == 0 {
				first = got
			}
			line := fmt.Sprintf("| %s | %d | %.1f | %.2f | %.0f | %.0f | %.1f | %.2f | %.0f | %.0f |\n", engine.name, n, got.start*1000, got.start/first.start,
				got.list*1000, got.takeover*1000, got.down*1000, got.down/first.down, got.used, got.rss)
			log.Print(line)
			m.WriteString(line)
		}
	}
	return m.String(), nil
}

// grow boots one machine.
func (b *bench) grow(engine string, n int) (got growth, err error) {
	name := guestName(n)
	if err := b.image(name, guest{services: n, engine: engine, script: growthScript}.yaml()); err != nil {
		return got, err
	}
	console, err := b.console(name, "--mem", growthMemory, "--timeout", "3h")
	if err != nil {
		return got, err
	}
	r, err := parseRecord(console)
	if err == nil {
		got, err = grown(r, console, float64(n))
	}
	if err != nil {
		return got, fmt.Errorf("%w\n%s", err, console[max(0, len(console)-20000):])
	}
	return got, nil
}

func grown(r *record, console string, n float64) (got growth, err error) {
	if running := r.said["running"]; len(running) != 1 || running[0][0] != n {
		return got, fmt.Errorf("of %.0f services run %v", n, running)
	}
	for _, span := range []struct {
		to         *float64
		begin, end string
	}{{&got.start, "begin", "end"}, {&got.list, "ask", "answer"}, {&got.takeover, "kill", "back"}} {
		took, wrong := r.took(span.begin, span.end)
		*span.to, err = took, errors.Join(err, wrong)
	}
	off := downLine.FindStringSubmatch(console)
	if memory := r.said["memory"]; err != nil || off == nil || len(memory) != 2 || len(r.now["down"]) != 1 {
		return got, errors.Join(err, errors.New("the console lacks a line"))
	}
	end, err := numbers(off[1:])
	if err != nil {
		return got, err
	}
	got.start, got.down = got.start/n, (end[0]-r.now["down"][0])/n
	got.used = (r.said["memory"][0][0] - r.said["memory"][1][0]) / n
	got.rss = r.samples["started"]["supervisor"].rss
	return got, nil
}
