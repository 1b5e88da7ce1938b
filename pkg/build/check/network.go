package check

import (
	"maps"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"slipway/pkg/build/spec"
	"slipway/pkg/build/yml"
	"slipway/pkg/bundle"
)

// checkSysctl finds parameters that the OCI runtime refuses, because the
// container would change them for the whole machine.
func (k *Checker) checkSysctl(c *spec.Container) {
	own := func(key string, kind specs.LinuxNamespaceType) bool {
		_, ok := namespace(c.Spec, kind)
		return ok || c.Unspecified(key)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Spec.Linux.Sysctl)) {
		key := strings.ReplaceAll(name, "/", ".")
		var needs string
		var ok bool
		switch {
		case strings.HasPrefix(key, "net."):
			needs, ok = "net: new", own("net", specs.NetworkNamespace)
		case slices.Contains(ipcSysctls, key) || strings.HasPrefix(key, "fs.mqueue."):
			needs, ok = "ipc: new", own("ipc", specs.IPCNamespace)
		case key == "kernel.domainname":
			needs, ok = "uts: new", own("uts", specs.UTSNamespace)
			if n := len(c.Spec.Linux.Sysctl[name]); n > yml.MaxHostname {
				k.Faults.Add(k.warnSysctl(c, name, "a domain name of %d bytes, of which Linux cuts the end", n).Wants("%d at most", yml.MaxHostname))
			}
		case key == "kernel.hostname":
			k.Faults.Add(k.warnSysctl(c, name, "%s is refused by the OCI runtime", name).Wants("hostname:, with uts: new"))
			continue
		default:
			k.Faults.Add(k.warnSysctl(c, name, "%s belongs to the whole machine, and the OCI runtime refuses it", name).
				Wants("a step of the boot that writes /proc/sys"))
			continue
		}
		if !ok {
			k.Faults.Add(k.warnSysctl(c, name, "%s in the machine's own namespace, which the OCI runtime refuses", name).Wants("%s beside it", needs))
		}
	}
}

// ipcSysctls are those of an IPC namespace.
var ipcSysctls = []string{
	"kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem",
	"kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced",
}

// checkInterfaces finds what the boot cannot make.
func (k *Checker) checkInterfaces(c *spec.Container) {
	for _, i := range c.RuntimeJSON.Interfaces {
		if i.Add == "veth" && i.Peer == "" {
			k.Faults.Add(k.warn(c, "runtime", "interface %s: a veth without its other end", i.Name).Wants("peer: and a name"))
		}
		if i.Add != "" && i.Add != "veth" && i.Peer != "" {
			k.Faults.Add(k.warn(c, "runtime", "interface %s: a %s has no peer, and %s is passed over", i.Name, i.Add, i.Peer).Wants("add: veth, or no peer:"))
		}
	}
	if _, own := namespace(c.Spec, specs.NetworkNamespace); len(c.RuntimeJSON.Interfaces) > 0 && !own && !c.Unspecified("net") {
		k.Faults.Add(k.warn(c, "runtime", "interfaces in the machine's own network").Wants("net: new beside them"))
	}
}

// checkPorts finds services that are asked for the same port of one network,
// and ports that they are not allowed to listen on.
func (k *Checker) checkPorts() {
	type port struct {
		network string
		number  int
	}
	first := map[port]*spec.Container{}
	for _, c := range k.containers {
		key, number := probedPort(c)
		if number == 0 || c.Section != bundle.Services {
			continue
		}
		if number < 1024 && !c.Unspecified("capabilities") && !slices.Contains(c.Spec.Process.Capabilities.Effective, "CAP_NET_BIND_SERVICE") {
			k.Faults.Add(c.Annotation(key).At("the container may not listen on port %d", number).
				Wants("CAP_NET_BIND_SERVICE among its capabilities, or a port from 1024 on").Warns())
		}
		where, own := namespace(c.Spec, specs.NetworkNamespace)
		if own && where == "" || c.Unspecified("net") {
			continue // a network of its own, or maybe
		}
		p := port{where, number}
		if other := first[p]; other != nil {
			k.Faults.Add(c.Annotation(key).At("service %s is asked for port %d of the same network", other.Name, number).Warns())
			continue
		}
		first[p] = c
	}
}

// probedPort is the port that tells whether a service is ready or healthy.
func probedPort(c *spec.Container) (key string, number int) {
	if c.Policy.Ready.Port != 0 {
		return bundle.Prefix + "ready", c.Policy.Ready.Port
	}
	return bundle.Prefix + "health", c.Policy.Health.Port
}
