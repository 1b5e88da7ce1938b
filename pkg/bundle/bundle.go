// Package bundle is the contract between the host, which writes an image, and
// the guest, which boots it: the directories of one container, its config.json
// (OCI), its runtime.json (LinuxKit) and its policy (OCI annotations).
//
// Both halves import this package and it imports neither, so a field is
// declared here once and cannot drift between the writer and the reader.
package bundle

import (
	"path"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Root is the directory of an image that holds all its bundles.
const Root = "/containers"

// Names of files and directories inside one bundle.
const (
	ConfigFile  = "config.json"  // OCI runtime configuration
	RuntimeFile = "runtime.json" // what to do around the OCI runtime
	ProgramFile = "seccomp.bpf"  // the filter of config.json compiled, for runtimes that take it so; it may not be there
	RootfsDir   = "rootfs"       // where the container's root is mounted
	LowerDir    = "lower"        // unpacked image of a read-write container
	TmpDir      = "tmp"          // tmpfs for the writable layer
	UpperDir    = "upper"        // inside TmpDir: overlay's upperdir
	WorkDir     = "work"         // inside TmpDir: overlay's workdir
)

// Section says when the containers of a directory run.
type Section string

// The sections of linuxkit.yml that hold containers; each is also the name of
// the directory below Root.
const (
	Onboot     Section = "onboot"
	Onshutdown Section = "onshutdown"
	Services   Section = "services"
)

// Dir is the directory of the section in an image.
func (s Section) Dir() string { return path.Join(Root, string(s)) }

// Bundle is one container as it lies in an image.
type Bundle struct {
	// Name is the directory's name and the id given to the OCI runtime:
	// "000-dhcp" in onboot and onshutdown, "sshd" in services.
	Name string
	// Dir is the bundle's absolute path.
	Dir     string
	Section Section
	// Spec is config.json without the Filter, which Encode puts back.
	Spec    *specs.Spec
	Filter  Filter
	Runtime Runtime
	Policy  Policy
	// Warnings are faults that do not keep the container from running, such as
	// an unknown field. Each names its file.
	Warnings []error
}

// Path joins elements to the bundle's directory.
func (b *Bundle) Path(elem ...string) string {
	return path.Join(append([]string{b.Dir}, elem...)...)
}

// ImageAnnotation is where a builder writes an image's name, and a bundle's
// config.json has it. The key is the OCI image specification's.
const ImageAnnotation = "org.opencontainers.image.ref.name"

// Image is the name of the image that the bundle was made of; "" where the builder
// has not written it, as LinuxKit's own.
func (b *Bundle) Image() string { return b.Spec.Annotations[ImageAnnotation] }

// ShortName is the name the user gave in linuxkit.yml: Name without the order
// prefix that onboot and onshutdown directories carry.
func (b *Bundle) ShortName() string { return ShortName(b.Section, b.Name) }

// ShortName strips the three-digit order prefix of an onboot or onshutdown
// directory; service directories have none.
func ShortName(s Section, directory string) string {
	if s == Services || len(directory) < 5 || directory[3] != '-' || strings.Trim(directory[:3], "0123456789") != "" {
		return directory
	}
	return directory[4:]
}
