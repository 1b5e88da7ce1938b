package main

import (
	"cmp"
	"fmt"
	"strings"
)

// guest is a machine of ours with services that do nothing, more that do
// something, and a script that watches and powers off.
type guest struct {
	onboot   int
	services int
	engine   string // image of the OCI runtime; runc's if empty
	more     string // YAML of other services
	script   string
}

// sampleScript prints a line for each of our processes: label, kB resident and
// proportional, ticks of CPU, voluntary and other context switches of all its
// threads, and what it was called as. The shell needs no process for that but
// for readlink.
const sampleScript = `#!/bin/sh
for p in /proc/[0-9]*; do
	[ "$p" = /proc/1 ] || [ "$(readlink "$p/exe")" = /usr/bin/service ] || continue
	rss=0 pss=0 ticks=0 voluntary=0 other=0
	while read -r k v _; do
		case $k in Rss:) rss=$v ;; Pss:) pss=$v ;; esac
	done <"$p/smaps_rollup"
	read -r stat <"$p/stat"
	set -- ${stat##*) }
	ticks=$((${12} + ${13}))
	for t in "$p"/task/*/status; do
		while read -r k v _; do
			case $k in
			voluntary_ctxt_switches:) voluntary=$((voluntary + v)) ;;
			nonvoluntary_ctxt_switches:) other=$((other + v)) ;;
			esac
		done <"$t"
	done
	name=$(tr '\0' ' ' <"$p/cmdline")
	echo "BENCH sample $SAMPLE $rss $pss $ticks $voluntary $other $name"
done
`

// nowScript notes the uptime under a name.
const nowScript = `#!/bin/sh
read -r up _ </proc/uptime
echo "BENCH now $1 $up"
`

const beginScript = `#!/bin/sh
while read -r k v _; do case $k in MemAvailable:) echo "BENCH memory $v" ;; esac; done </proc/meminfo
exec bench-now begin
`

// lastStep leaves the watching behind: the boot is to be over by then.
const lastStep = `#!/bin/sh
bench-now end
setsid bench-watch </dev/null &
`

func (g guest) yaml() string {
	var y strings.Builder
	y.WriteString("kernel:\n  image: slipway/kernel:v0.1\n  cmdline: \"console=ttyS0\"\ninit:\n")
	for _, image := range []string{imgInit, cmp.Or(g.engine, imgRunc), imgBusybox} {
		fmt.Fprintf(&y, "  - %s\n", image)
	}
	if g.onboot > 0 {
		y.WriteString("onboot:\n")
	}
	for i := range g.onboot {
		fmt.Fprintf(&y, "  - {name: step%03d, image: %q, readonly: true, command: [\"/bin/true\"]}\n", i, imgBusybox)
	}
	y.WriteString("services:\n")
	for i := range g.services {
		fmt.Fprintf(&y, "  - {name: idle%03d, image: %q, readonly: true, command: [\"/bin/sleep\", \"100000\"]}\n", i, imgBusybox)
	}
	y.WriteString(g.more + "files:\n")
	for _, f := range []struct{ path, content string }{
		{"usr/bin/bench-sample", sampleScript},
		{"usr/bin/bench-now", nowScript},
		{"etc/init.d/019-begin", beginScript},
		{"usr/bin/bench-watch", "#!/bin/sh\n" + g.script + "poweroff -f\n"},
		{"etc/init.d/099-bench", lastStep},
	} {
		fmt.Fprintf(&y, "  - {path: %s, mode: \"0755\", contents: %q}\n", f.path, f.content)
	}
	return y.String()
}
