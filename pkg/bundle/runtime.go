package bundle

import (
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Runtime is runtime.json: what has to happen around the OCI runtime. Its
// format is LinuxKit's. Mounts, Mkdir and Cgroups are carried out before
// create, in this order; Interfaces and BindNS after create and before start.
type Runtime struct {
	// Cgroups are made in the unified hierarchy, or below every v1 controller.
	Cgroups []string `json:"cgroups" yaml:"cgroups"`
	// Mounts are mount(2) calls in list order; a relative destination lies in
	// the bundle's rootfs.
	Mounts []specs.Mount `json:"mounts" yaml:"mounts"`
	// Mkdir are directories to make; a relative one lies in the bundle's rootfs.
	Mkdir []string `json:"mkdir" yaml:"mkdir"`
	// Interfaces are network interfaces to make or move.
	Interfaces []Interface `json:"interfaces" yaml:"interfaces"`
	// BindNS are files on which to keep the container's namespaces.
	BindNS BindNS `json:"bindNS" yaml:"bindNS"`
	// Namespace is the containerd namespace LinuxKit runs a service in.
	Namespace string `json:"namespace,omitempty" yaml:"namespace"`
}

// Interface is a network interface to move into a container or make there.
type Interface struct {
	// Name in the container, and in the root namespace where it is moved from.
	Name string `json:"name,omitempty" yaml:"name"`
	// Add is the rtnetlink kind to create; empty moves an existing interface,
	// or creates a veth if Peer is set.
	Add string `json:"add,omitempty" yaml:"add"`
	// Peer is the veth end that stays in the root namespace.
	Peer string `json:"peer,omitempty" yaml:"peer"`
	// CreateInRoot creates the interface in the root namespace and moves it,
	// as wireguard needs so that its socket stays outside.
	CreateInRoot bool `json:"createInRoot" yaml:"createInRoot"`
}

// BindNS holds, for each kind of namespace, the path to bind it to, or "".
type BindNS struct {
	Cgroup string `json:"cgroup" yaml:"cgroup"`
	Ipc    string `json:"ipc" yaml:"ipc"`
	Mnt    string `json:"mnt" yaml:"mnt"`
	Net    string `json:"net" yaml:"net"`
	Pid    string `json:"pid" yaml:"pid"`
	User   string `json:"user" yaml:"user"`
	Uts    string `json:"uts" yaml:"uts"`
}

// NSPath is one namespace of a container, as named in /proc/PID/ns, and the
// file to bind it to.
type NSPath struct{ NS, Path string }

// Paths lists the namespaces to bind, in LinuxKit's order.
func (b BindNS) Paths() []NSPath {
	return slices.DeleteFunc([]NSPath{
		{"cgroup", b.Cgroup}, {"ipc", b.Ipc}, {"mnt", b.Mnt}, {"net", b.Net},
		{"pid", b.Pid}, {"user", b.User}, {"uts", b.Uts},
	}, func(p NSPath) bool { return p.Path == "" })
}

// NeedsWiring tells whether anything has to happen between create and start.
func (r Runtime) NeedsWiring() bool {
	return len(r.Interfaces) > 0 || len(r.BindNS.Paths()) > 0
}
