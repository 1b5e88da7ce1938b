package main

import (
	"fmt"
	"strings"
)

// stack is one way to run the containers of an image: which images make the
// root file system, and which scripts of ours replace the init system's own.
type stack struct {
	name string
	init []string
	// scripts are files of the image, run by the init system in name order.
	scripts map[string]string
}

const (
	imgInit       = "slipway/init:v0.1"
	imgRunc       = "slipway/runc:v0.1"
	imgCrun       = "slipway/crun:v0.1"
	imgService    = "slipway/service:v0.1"
	imgBusybox    = "slipway/busybox:v0.1"
	imgTestinit   = "slipway/testinit:v0.1"
	imgContainerd = "slipway/containerd:v0.1"
)

// stacks are listed from the floor up. All but the last use busybox init with
// LinuxKit's conventions, so that they differ in what runs the containers only.
func stacks() []stack {
	return []stack{
		{"fork with namespaces", []string{imgTestinit}, map[string]string{"010-run": forkScript}},
		{"plain runc run", []string{imgTestinit, imgRunc}, map[string]string{"010-run": loopScript("runc")}},
		{"plain crun run", []string{imgTestinit, imgCrun}, map[string]string{"005-version": versionScript, "010-run": loopScript("crun --cgroup-manager=cgroupfs")}},
		{"containerd and shims", []string{imgTestinit, imgRunc, imgContainerd}, map[string]string{"010-run": containerdScript}},
		{"slipway, companion", []string{imgTestinit, imgRunc, imgService}, nil},
		{"slipway", []string{imgInit, imgRunc, imgBusybox}, nil},
		{"slipway, crun", []string{imgInit, imgCrun, imgBusybox}, nil},
	}
}

// prepareScript makes a root of each bundle as its runtime.json says, without
// reading it: a bind of rootfs, or a tmpfs and an overlay. All bundles have the
// same image, and the builder stores it in the first only.
const prepareScript = `
first=/containers/onboot/000-onboot0
prepare() {
	if [ -d "$first/lower" ]; then
		mount -t tmpfs tmpfs "$1/tmp" && mkdir "$1/tmp/upper" "$1/tmp/work" &&
		mount -t overlay -o "lowerdir=$first/lower,upperdir=$1/tmp/upper,workdir=$1/tmp/work" overlay "$1/rootfs"
	else
		mount --bind "$first/rootfs" "$1/rootfs"
	fi
}
`

// forkScript is the least a container can cost: namespaces, a root, an exec.
const forkScript = `#!/bin/sh
` + prepareScript + `
for b in /containers/onboot/*; do
	prepare "$b"; unshare -m -p -f chroot "$b/rootfs" /bin/true
done
for b in /containers/services/*; do
	prepare "$b"; unshare -m -p -f chroot "$b/rootfs" /bin/sleep 1000 &
done
`

// loopScript has an OCI runtime run all, one by one.
func loopScript(runtime string) string {
	config := func(section string) string {
		if strings.HasPrefix(runtime, "crun") {
			return " --config /tmp/" + section + ".json"
		}
		return ""
	}
	return `#!/bin/sh
modprobe overlay 2>/dev/null
` + prepareScript + strings.NewReplacer("OCI", runtime, " ONBOOT", config("onboot"), " SERVICES", config("services")).Replace(`
for b in /containers/onboot/*; do
	prepare "$b"; OCI run ONBOOT --bundle "$b" "${b##*/}" </dev/null
done
for b in /containers/services/*; do
	prepare "$b"; OCI run SERVICES --detach --bundle "$b" "${b##*/}" </dev/null >/dev/null 2>&1
done
`)
}

// versionScript makes configurations of the version that crun 1.8 takes. All bundles of
// a section have the same.
const versionScript = `#!/bin/sh
for s in onboot services; do
	for b in /containers/$s/*; do
		sed '/ociVersion/s/1[.]2[.]1/1.0.2/' "$b/config.json" >/tmp/$s.json; break
	done
done
`

// containerdScript starts services as LinuxKit does: one task after the other
// through containerd and its runc shim, from an OCI spec, with no snapshot.
const containerdScript = `#!/bin/sh
modprobe overlay 2>/dev/null
` + prepareScript + `
for b in /containers/onboot/*; do
	prepare "$b"; runc run --bundle "$b" "${b##*/}" </dev/null
done
containerd >/var/log/containerd.log 2>&1 &
while [ ! -S /run/containerd/containerd.sock ]; do sleep 0.1; done
for b in /containers/services/*; do
	prepare "$b"
	sed "s#\"path\": \"rootfs\"#\"path\": \"$b/rootfs\"#" "$b/config.json" >/tmp/spec.json
	ctr -n services.linuxkit run -d --config /tmp/spec.json "${b##*/}" </dev/null
done
`

// lastScript ends the measurement: it prints the uptime, then the resident
// memory of everything that runs outside the containers' pid namespaces, in which a
// page that processes share counts once.
const lastScript = `#!/bin/sh
read -r up _ </proc/uptime
echo "BENCH last $up"
here=$(readlink /proc/self/ns/pid)
sum=0
for p in /proc/[0-9]*; do
	[ "$p" = "/proc/$$" ] && continue
	[ "$(readlink "$p/ns/pid")" = "$here" ] || continue
	exe=$(readlink "$p/exe"); [ "$exe" ] || continue
	case "$exe" in */busybox) [ "$p" = /proc/1 ] || continue ;; esac
	while read -r k v _; do [ "$k" = Pss: ] && sum=$((sum + v)); done <"$p/smaps_rollup"
done
echo "BENCH resident $sum"
running=0
for p in /proc/[0-9]*/cmdline; do
	case $(tr '\0' ' ' <"$p" 2>/dev/null) in "/bin/sleep 1000 ") running=$((running + 1)) ;; esac
done
echo "BENCH services $running"
poweroff -f
`

// yaml is the image of a stack with count onboot containers and services.
func (s stack) yaml(count int, readonly bool) string {
	var y strings.Builder
	y.WriteString("kernel:\n  image: slipway/kernel:v0.1\n  cmdline: \"console=ttyS0\"\ninit:\n")
	for _, image := range s.init {
		fmt.Fprintf(&y, "  - %s\n", image)
	}
	section := func(name, command string) {
		fmt.Fprintf(&y, "%s:\n", name)
		for i := range count {
			fmt.Fprintf(&y, "  - {name: %s%d, image: %q, readonly: %t, command: %s}\n",
				name, i, imgBusybox, readonly, command)
		}
	}
	section("onboot", `["/bin/cat", "/proc/uptime"]`)
	section("services", `["/bin/sleep", "1000"]`)
	y.WriteString("files:\n")
	file := func(name, content string) {
		fmt.Fprintf(&y, "  - {path: etc/init.d/%s, mode: \"0755\", contents: %q}\n", name, content)
	}
	for name, content := range s.scripts {
		file(name, content)
	}
	file("099-bench", lastScript)
	return y.String()
}
