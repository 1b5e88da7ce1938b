// Package spec makes a container's OCI runtime configuration, config.json, of what the
// YAML says, the label of its image and the image's own configuration; and what it gets
// that nobody asked for: masks, read-only paths and the filter of system calls.
//
// Containers is the way in. Each key has its part of translator; what several look at,
// such as paths and programs, are methods of Container, which package check uses too.
package spec

import (
	"cmp"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"slipway/pkg/build/tree"
	"slipway/pkg/build/yml"
	"slipway/pkg/bundle"
)

// ociVersion is written to config.json: the version of the runtime
// specification that LinuxKit's tool writes, and all that is used here.
const ociVersion = "1.2.1"

// translator makes the runtime configuration of one container. It goes on
// after a fault, so that all of them are told at once.
type translator struct {
	c         *yml.Container
	label     *yml.Settings
	image     v1.Config
	volumes   map[string]*yml.Volume
	ids       IDs
	hardening Hardening
	arch      string // the machine's, as Go names it
	// root is the image's files, or nil; it may take a while.
	root     func() *tree.Tree
	bounding []string // capabilities
	faults   yml.Faults
}

// fault points at the container's key, or at the container if the value comes
// from the image's label.
func (t *translator) fault(key string, i int, format string, args ...any) yml.Fault {
	at := t.c.At
	if !at.Has(key) {
		f := at.Child("image").At(format, args...)
		f.Message += " (in the label of the image)"
		return f
	}
	at = at.Child(key)
	if i >= 0 {
		at = at.Item(i)
	}
	return at.At(format, args...)
}

// spec is the container's config.json.
func (t *translator) spec() *specs.Spec {
	y, l := &t.c.Settings, t.label
	readonly := or(y.Readonly, l.Readonly, false)
	capabilities := t.capabilities()
	t.bounding = capabilities.Bounding
	spec := &specs.Spec{
		Version: ociVersion,
		Process: &specs.Process{
			Args:            or(y.Command, l.Command, append(append([]string{}, t.image.Entrypoint...), t.image.Cmd...)),
			Env:             or(y.Env, l.Env, t.image.Env),
			Cwd:             cmp.Or(y.Cwd, l.Cwd, t.image.WorkingDir, "/"),
			User:            t.user(),
			Capabilities:    capabilities,
			Rlimits:         t.rlimits(),
			NoNewPrivileges: or(y.NoNewPrivileges, l.NoNewPrivileges, false),
			OOMScoreAdj:     either(y.OOMScoreAdj, l.OOMScoreAdj),
		},
		Root:        &specs.Root{Path: "rootfs", Readonly: readonly},
		Hostname:    cmp.Or(y.Hostname, l.Hostname),
		Mounts:      t.mounts(readonly),
		Annotations: or(y.Annotations, l.Annotations, nil),
		Linux: &specs.Linux{
			UIDMappings:       t.idMappings(or(y.UIDMappings, l.UIDMappings, nil)),
			GIDMappings:       t.idMappings(or(y.GIDMappings, l.GIDMappings, nil)),
			Sysctl:            or(y.Sysctl, l.Sysctl, nil),
			CgroupsPath:       or(y.CgroupsPath, l.CgroupsPath, ""),
			Namespaces:        t.namespaces(),
			RootfsPropagation: or(y.RootfsPropagation, l.RootfsPropagation, ""),
			MaskedPaths:       or(y.MaskedPaths, l.MaskedPaths, nil),
			ReadonlyPaths:     or(y.ReadonlyPaths, l.ReadonlyPaths, nil),
		},
	}
	t.checkLabelCgroups()
	t.resources(spec.Linux)
	t.devices(spec.Linux)
	t.stopSignal(spec)
	t.imageName(spec)
	t.harden(spec)
	return spec
}

// checkLabelCgroups refuses cgroups of the label that count; those of the YAML
// are refused with its text.
func (t *translator) checkLabelCgroups() {
	y, l := &t.c.Settings, t.label
	wrong := func(err error) {
		if err != nil {
			t.faults.Add(t.fault("label", -1, "container %q: %v", t.c.Name, err).Wants(bundle.CgroupsPathWords))
		}
	}
	if y.CgroupsPath == nil && l.CgroupsPath != nil {
		wrong(bundle.CheckCgroupsPath(*l.CgroupsPath))
	}
	if (y.Runtime == nil || y.Runtime.Cgroups == nil) && l.Runtime != nil && l.Runtime.Cgroups != nil {
		for _, p := range *l.Runtime.Cgroups {
			wrong(bundle.CheckCgroup(p))
		}
	}
}

func either[T any](yaml, label *T) *T {
	if yaml != nil {
		return yaml
	}
	return label
}

func (t *translator) idMappings(list []yml.IDMapping) []specs.LinuxIDMapping {
	var out []specs.LinuxIDMapping
	for _, m := range list {
		out = append(out, m.Mapping(t.asLinuxKit()))
	}
	return out
}

// asLinuxKit tells whether to lose what LinuxKit's tool loses.
func (t *translator) asLinuxKit() bool { return t.hardening == HardeningNone }

func (t *translator) resources(linux *specs.Linux) {
	linux.Resources = &specs.LinuxResources{}
	r := either(t.c.Resources, t.label.Resources)
	if r == nil {
		return
	}
	limits, err := r.Spec(t.asLinuxKit())
	if err != nil {
		t.faults.Add(t.fault("resources", -1, "%v", err))
		return
	}
	linux.Resources = &limits
}

// namespaces lists the namespaces the container does not share with the
// machine, in LinuxKit's order.
func (t *translator) namespaces() []specs.LinuxNamespace {
	y, l := &t.c.Settings, t.label
	var list []specs.LinuxNamespace
	add := func(kind specs.LinuxNamespaceType, value string, fresh ...string) {
		if value == "host" || value == "root" {
			return
		}
		for _, word := range fresh {
			if value == word {
				value = ""
			}
		}
		list = append(list, specs.LinuxNamespace{Type: kind, Path: value})
	}
	add(specs.NetworkNamespace, cmp.Or(y.Net, l.Net, "root"), "new", "none")
	add(specs.IPCNamespace, cmp.Or(y.Ipc, l.Ipc, "root"), "new")
	add(specs.UTSNamespace, cmp.Or(y.Uts, l.Uts, "root"), "new")
	add(specs.PIDNamespace, cmp.Or(y.Pid, l.Pid, "new"), "new")
	add(specs.UserNamespace, cmp.Or(y.Userns, l.Userns, "root"), "new")
	return append(list, specs.LinuxNamespace{Type: specs.MountNamespace})
}
