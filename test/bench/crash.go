package main

import (
	"fmt"
	"log"
	"strings"
)

// window is how many seconds each thing is watched for.
const window = 10

// turns is how often the service that is watched sleeps 10 ms before it says
// how long that took.
const turns = 50

// crashServices are one whose every turn is timed, and two that end at once:
// with the pauses that a policy has by default, and with next to none.
const crashServices = `  - name: turns
    image: slipway/busybox:v0.1
    readonly: true
    command: ["/bin/sh", "-c", "while :; do read -r a _ </proc/uptime; i=0; while [ $i -lt 50 ]; do usleep 10000; i=$((i + 1)); done; read -r b _ </proc/uptime; echo $a $b; done"]
  - name: default
    image: slipway/busybox:v0.1
    readonly: true
    command: ["/bin/false"]
  - name: fast
    image: slipway/busybox:v0.1
    readonly: true
    command: ["/bin/false"]
    annotations: {slipway.restart: always, slipway.restart-delay: 100ms, slipway.restart-max-delay: 100ms}
`

// crashScript watches three windows, one after the other: neither crashes, one
// does with its default policy, one does as fast as it can.
const crashScript = `
runs() { sed -n 's/.*"run":\([0-9]*\).*/\1/p' "/run/slipway/services/$1.json"; }
watch() {
	[ "$1" = quiet ] || service start "$1" >/dev/null
	sleep 1
	before=0 after=0
	[ "$1" = quiet ] || before=$(runs "$1")
	SAMPLE=$1$2-before bench-sample
	bench-now "$1-from"
	sleep 10
	bench-now "$1-to"
	SAMPLE=$1$2-after bench-sample
	[ "$1" = quiet ] || after=$(runs "$1")
	echo "BENCH runs-$1 $((after - before))"
	[ "$1" = quiet ] || service stop "$1" >/dev/null
	sleep 1
}
service stop default >/dev/null
service stop fast >/dev/null
sleep 2
for turn in $TURNS; do
	watch quiet $turn
	watch default $turn
	watch fast $turn
done
while read -r a b _; do echo "BENCH turn $a $b"; done </var/log/turns.out.log
`

var crashKinds = []struct{ name, text string }{
	{"quiet", "nothing"}, {"default", "the default pauses, 100 ms to 30 s"}, {"fast", "a pause of 100 ms"},
}

// partCrash measures what a crash loop costs us, and what it costs a service
// that has nothing to do with it.
func (b *bench) partCrash() (string, error) {
	var names []string
	for i := range b.rounds {
		names = append(names, fmt.Sprint(i))
	}
	script := "TURNS='" + strings.Join(names, " ") + "'\n" + crashScript
	if err := b.image("crash", guest{services: 10, more: crashServices, script: script}.yaml()); err != nil {
		return "", err
	}
	console, err := b.console("crash")
	if err != nil {
		return "", err
	}
	r, err := parseRecord(console)
	if err == nil {
		var text string
		if text, err = b.crashTable(r); err == nil {
			return b.clock() + text, nil
		}
	}
	return "", fmt.Errorf("%w\n%s", err, console)
}

func (b *bench) crashTable(r *record) (string, error) {
	var m strings.Builder
	fmt.Fprintf(&m, "Ten other services. CPU is in %% of one, and `turn` is what a service takes to sleep 10 ms %d times,\n"+
		"for each time: its shell forks for that.\n\n", turns)
	m.WriteString("| what restarts after | starts in a minute | PID 1 (%) | supervisor (%) | turn (ms) | ratio |\n| --- | --- | --- | --- | --- | --- |\n")
	var quiet float64
	for _, kind := range crashKinds {
		turn, starts := r.turn(kind.name), r.perMinute(kind.name)
		if turn == 0 || kind.name != "quiet" && starts == 0 {
			return "", fmt.Errorf("%s: turns of %.1f ms, %.0f starts in a minute", kind.name, turn, starts)
		}
		if quiet == 0 {
			quiet = turn
		}
		var cpu [2][]float64
		for round := range b.rounds {
			label := fmt.Sprintf("%s%d", kind.name, round)
			for i, name := range ours {
				s, err := r.spent(label+"-before", label+"-after", name)
				if err != nil {
					return "", err
				}
				cpu[i] = append(cpu[i], s.ticks/window)
			}
		}
		fmt.Fprintf(&m, "| %s | %.0f | %.1f | %.1f | %.1f | %.2f |\n", kind.text, starts, median(cpu[0]), median(cpu[1]), turn, turn/quiet)
		log.Printf("crash, %s: %.0f starts in a minute, turn %.1f ms", kind.text, starts, turn)
	}
	return m.String(), nil
}

// turn is the median of the turns that lie within the windows of a kind, in ms.
func (r *record) turn(kind string) float64 {
	var all []float64
	for i, from := range r.now[kind+"-from"] {
		for _, t := range r.said["turn"] {
			if len(t) == 2 && i < len(r.now[kind+"-to"]) && t[0] >= from && t[1] <= r.now[kind+"-to"][i] {
				all = append(all, (t[1]-t[0])/turns*1000)
			}
		}
	}
	if len(all) == 0 {
		return 0
	}
	return median(all)
}

// perMinute is how often the crashing service was started.
func (r *record) perMinute(kind string) float64 {
	var all []float64
	for _, v := range r.said["runs-"+kind] {
		all = append(all, v[0]*60/window)
	}
	if len(all) == 0 {
		return 0
	}
	return median(all)
}
