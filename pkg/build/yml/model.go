// Package yml reads linuxkit.yml: the text to a model, and every fault in it
// with its position.
//
// The schema is one table (schema.go). It checks a document, names the nearest
// key when one is misspelt, and prints as a JSON Schema for editors. What the
// table cannot say, such as which names must be unique, is in check.go.
package yml

import (
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"go.yaml.in/yaml/v3"

	"slipway/pkg/bundle"
)

// Config is linuxkit.yml, or several of them merged.
type Config struct {
	Kernel     Kernel       `yaml:"kernel,omitempty" json:"kernel"`
	Init       []string     `yaml:"init,omitempty" json:"init,omitempty"`
	Volumes    []*Volume    `yaml:"volumes,omitempty" json:"volumes,omitempty"`
	Onboot     []*Container `yaml:"onboot,omitempty" json:"onboot,omitempty"`
	Onshutdown []*Container `yaml:"onshutdown,omitempty" json:"onshutdown,omitempty"`
	Services   []*Container `yaml:"services,omitempty" json:"services,omitempty"`
	Files      []*File      `yaml:"files,omitempty" json:"files,omitempty"`

	// At is the first text that has anything in it, InitAt the places of Init's
	// entries.
	At     Position   `yaml:"-" json:"-"`
	InitAt []Position `yaml:"-" json:"-"`
}

// Kernel says which image holds the kernel and how it is started.
type Kernel struct {
	Image   string   `yaml:"image,omitempty" json:"image,omitempty"`
	Cmdline string   `yaml:"cmdline,omitempty" json:"cmdline,omitempty"`
	Binary  string   `yaml:"binary,omitempty" json:"binary,omitempty"`
	Tar     *string  `yaml:"tar,omitempty" json:"tar,omitempty"`
	UCode   *string  `yaml:"ucode,omitempty" json:"ucode,omitempty"`
	At      Position `yaml:"-" json:"-"`
}

// Volume is a file system that containers share, or an OCI layout in one.
type Volume struct {
	Name      string   `yaml:"name" json:"name"`
	Image     string   `yaml:"image,omitempty" json:"image,omitempty"`
	Readonly  bool     `yaml:"readonly,omitempty" json:"readonly,omitempty"`
	Format    string   `yaml:"format,omitempty" json:"format,omitempty"`
	Platforms []string `yaml:"platforms,omitempty" json:"platforms,omitempty"`
	At        Position `yaml:"-" json:"-"`
}

// File is an entry of the files section.
type File struct {
	Path      string   `yaml:"path" json:"path"`
	Directory bool     `yaml:"directory,omitempty" json:"directory,omitempty"`
	Symlink   string   `yaml:"symlink,omitempty" json:"symlink,omitempty"`
	Contents  *string  `yaml:"contents,omitempty" json:"contents,omitempty"`
	Source    string   `yaml:"source,omitempty" json:"source,omitempty"`
	Metadata  string   `yaml:"metadata,omitempty" json:"metadata,omitempty"`
	Optional  bool     `yaml:"optional,omitempty" json:"optional,omitempty"`
	Mode      string   `yaml:"mode,omitempty" json:"mode,omitempty"`
	UID       *ID      `yaml:"uid,omitempty" json:"uid,omitempty"`
	GID       *ID      `yaml:"gid,omitempty" json:"gid,omitempty"`
	At        Position `yaml:"-" json:"-"`
}

// Container is an entry of onboot, onshutdown or services.
type Container struct {
	Name     string `yaml:"name" json:"name"`
	Image    string `yaml:"image" json:"image"`
	Settings `yaml:",inline"`
	Section  bundle.Section `yaml:"-" json:"-"`
	At       Position       `yaml:"-" json:"-"`
}

// Settings are what may stand both in the YAML and in an image's label. A nil
// pointer is a field that is not there, which is not the same as an empty one:
// an empty list in the YAML replaces the label's.
type Settings struct {
	Capabilities      *[]string          `yaml:"capabilities,omitempty" json:"capabilities,omitempty"`
	CapabilitiesAdd   *[]string          `yaml:"capabilities.add,omitempty" json:"capabilities.add,omitempty"`
	Ambient           *[]string          `yaml:"ambient,omitempty" json:"ambient,omitempty"`
	Mounts            *[]Mount           `yaml:"mounts,omitempty" json:"mounts,omitempty"`
	Binds             *[]string          `yaml:"binds,omitempty" json:"binds,omitempty"`
	BindsAdd          *[]string          `yaml:"binds.add,omitempty" json:"binds.add,omitempty"`
	Devices           *[]Device          `yaml:"devices,omitempty" json:"devices,omitempty"`
	Tmpfs             *[]string          `yaml:"tmpfs,omitempty" json:"tmpfs,omitempty"`
	Command           *[]string          `yaml:"command,omitempty" json:"command,omitempty"`
	Env               *[]string          `yaml:"env,omitempty" json:"env,omitempty"`
	Cwd               string             `yaml:"cwd,omitempty" json:"cwd,omitempty"`
	Net               string             `yaml:"net,omitempty" json:"net,omitempty"`
	Pid               string             `yaml:"pid,omitempty" json:"pid,omitempty"`
	Ipc               string             `yaml:"ipc,omitempty" json:"ipc,omitempty"`
	Uts               string             `yaml:"uts,omitempty" json:"uts,omitempty"`
	Userns            string             `yaml:"userns,omitempty" json:"userns,omitempty"`
	Hostname          string             `yaml:"hostname,omitempty" json:"hostname,omitempty"`
	Readonly          *bool              `yaml:"readonly,omitempty" json:"readonly,omitempty"`
	MaskedPaths       *[]string          `yaml:"maskedPaths,omitempty" json:"maskedPaths,omitempty"`
	ReadonlyPaths     *[]string          `yaml:"readonlyPaths,omitempty" json:"readonlyPaths,omitempty"`
	UID               *ID                `yaml:"uid,omitempty" json:"uid,omitempty"`
	GID               *ID                `yaml:"gid,omitempty" json:"gid,omitempty"`
	AdditionalGids    *[]ID              `yaml:"additionalGids,omitempty" json:"additionalGids,omitempty"`
	NoNewPrivileges   *bool              `yaml:"noNewPrivileges,omitempty" json:"noNewPrivileges,omitempty"`
	OOMScoreAdj       *int               `yaml:"oomScoreAdj,omitempty" json:"oomScoreAdj,omitempty"`
	RootfsPropagation *string            `yaml:"rootfsPropagation,omitempty" json:"rootfsPropagation,omitempty"`
	CgroupsPath       *string            `yaml:"cgroupsPath,omitempty" json:"cgroupsPath,omitempty"`
	Resources         *Resources         `yaml:"resources,omitempty" json:"resources,omitempty"`
	Sysctl            *map[string]string `yaml:"sysctl,omitempty" json:"sysctl,omitempty"`
	Rlimits           *[]string          `yaml:"rlimits,omitempty" json:"rlimits,omitempty"`
	UIDMappings       *[]IDMapping       `yaml:"uidMappings,omitempty" json:"uidMappings,omitempty"`
	GIDMappings       *[]IDMapping       `yaml:"gidMappings,omitempty" json:"gidMappings,omitempty"`
	Annotations       *map[string]string `yaml:"annotations,omitempty" json:"annotations,omitempty"`
	Runtime           *Runtime           `yaml:"runtime,omitempty" json:"runtime,omitempty"`
}

// Mount is a mount(2) call.
type Mount struct {
	Destination string   `yaml:"destination,omitempty" json:"destination,omitempty"`
	Type        string   `yaml:"type,omitempty" json:"type,omitempty"`
	Source      string   `yaml:"source,omitempty" json:"source,omitempty"`
	Options     []string `yaml:"options,omitempty" json:"options,omitempty"`

	UIDMappings []IDMapping `yaml:"uidMappings,omitempty" json:"uidMappings,omitempty"`
	GIDMappings []IDMapping `yaml:"gidMappings,omitempty" json:"gidMappings,omitempty"`
	// The same keys as LinuxKit's tool would read them, which has no use for them.
	UIDLower []IDMapping `yaml:"uidmappings,omitempty" json:"-"`
	GIDLower []IDMapping `yaml:"gidmappings,omitempty" json:"-"`
}

// Device is a device node a container gets.
type Device struct {
	Path  string `yaml:"path" json:"path"`
	Type  string `yaml:"type" json:"type"`
	Major int64  `yaml:"major" json:"major"`
	Minor int64  `yaml:"minor" json:"minor"`
	Mode  string `yaml:"mode,omitempty" json:"mode,omitempty"`
}

// IDMapping is one range of a user namespace.
type IDMapping struct {
	ContainerID uint32 `yaml:"containerID" json:"containerID"`
	HostID      uint32 `yaml:"hostID" json:"hostID"`
	Size        uint32 `yaml:"size" json:"size"`
}

// Runtime is what LinuxKit keeps in runtime.json. Its fields are pointers
// because each is merged with the label's on its own.
type Runtime struct {
	Cgroups    *[]string           `yaml:"cgroups,omitempty" json:"cgroups,omitempty"`
	Mounts     *[]Mount            `yaml:"mounts,omitempty" json:"mounts,omitempty"`
	Mkdir      *[]string           `yaml:"mkdir,omitempty" json:"mkdir,omitempty"`
	Interfaces *[]bundle.Interface `yaml:"interfaces,omitempty" json:"interfaces,omitempty"`
	BindNS     BindNS              `yaml:"bindNS,omitempty" json:"bindNS,omitempty"`
	Namespace  *string             `yaml:"namespace,omitempty" json:"namespace,omitempty"`
	NoRestart  *bool               `yaml:"noRestart,omitempty" json:"noRestart,omitempty"`
}

// BindNS is bundle.BindNS with every path optional.
type BindNS struct {
	Cgroup *string `yaml:"cgroup,omitempty" json:"cgroup,omitempty"`
	Ipc    *string `yaml:"ipc,omitempty" json:"ipc,omitempty"`
	Mnt    *string `yaml:"mnt,omitempty" json:"mnt,omitempty"`
	Net    *string `yaml:"net,omitempty" json:"net,omitempty"`
	Pid    *string `yaml:"pid,omitempty" json:"pid,omitempty"`
	User   *string `yaml:"user,omitempty" json:"user,omitempty"`
	Uts    *string `yaml:"uts,omitempty" json:"uts,omitempty"`
}

// Resources are cgroup limits, kept as written: what LinuxKit's tool makes of
// them is not quite what they say (see the methods).
type Resources struct{ node *yaml.Node }

// ID is a user or group: a number, or the name of a container, whose number is
// given out by the builder.
type ID struct {
	Name   string
	Number uint32
}

// Containers are all of them, in the order in which they are built.
func (c *Config) Containers() []*Container {
	var all []*Container
	all = append(all, c.Onboot...)
	all = append(all, c.Onshutdown...)
	return append(all, c.Services...)
}

// Spec is a mount as the OCI runtime wants it. With asLinuxKit it has no
// mappings: LinuxKit's tool loses them.
func (m Mount) Spec(asLinuxKit bool) specs.Mount {
	out := specs.Mount{Destination: m.Destination, Type: m.Type, Source: m.Source, Options: m.Options}
	if !asLinuxKit {
		out.UIDMappings, out.GIDMappings = mappings(m.UIDMappings, m.UIDLower), mappings(m.GIDMappings, m.GIDLower)
	}
	return out
}

func mappings(lists ...[]IDMapping) []specs.LinuxIDMapping {
	var out []specs.LinuxIDMapping
	for _, m := range slices.Concat(lists...) {
		out = append(out, m.Mapping(false))
	}
	return out
}
