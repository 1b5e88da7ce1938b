package check

import (
	"cmp"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"slipway/pkg/build/oci"
	"slipway/pkg/build/spec"
	"slipway/pkg/build/tree"
	"slipway/pkg/build/yml"
	"slipway/pkg/bundle"
	"slipway/pkg/machine"
)

// cmdlineRuntime is the word of the kernel's command line that names an OCI runtime.
const cmdlineRuntime = machine.OptionRuntime + "="

// checkRuntimes finds OCI runtimes that are asked for and will not be in the machine.
// In an image whose root filesystem is not made here nobody knows what there is.
func (k *Checker) checkRuntimes() {
	for word := range strings.FieldsSeq(k.config.Kernel.Cmdline) {
		value, is := strings.CutPrefix(word, cmdlineRuntime)
		if !is {
			continue
		}
		at := k.config.Kernel.At.Child("cmdline")
		if _, err := bundle.ParseRuntime(value); err != nil {
			k.Faults.Add(at.At("%s: %v", word, err).Near(value, bundle.Runtimes))
			continue
		}
		if !k.hasRuntime(value, nil) {
			k.Faults.Add(k.noRuntime(at, word, value))
		}
	}
	const key = bundle.Prefix + "runtime"
	for _, c := range k.containers {
		if asked := c.Policy.Runtime; asked != "" && !k.hasRuntime(asked, c) {
			k.Faults.Add(k.noRuntime(c.Annotation(key), key+" "+asked, asked))
		}
	}
}

func (k *Checker) noRuntime(at yml.Position, said, asked string) yml.Fault {
	f := at.At("%s: no image in init has %s", said, bundle.RuntimeProgram(asked))
	if slices.Contains(bundle.Runtimes, asked) {
		return f.Wants("slipway/%s:v0.1 in init", asked)
	}
	return f.Wants("an image in init, or an entry in files, that brings it")
}

// hasRuntime tells whether a runtime is there when a container starts; nil: when the
// first does.
func (k *Checker) hasRuntime(asked string, c *spec.Container) bool {
	p := bundle.RuntimeProgram(asked)
	return len(k.config.Init) == 0 || k.inRoot(p) || c != nil && k.madeBefore(c, p)
}

// crunMended is the first version of crun without the known fault that reaches machines
// of ours. Debian 12's package, by its changelog, has not mended its 1.8.1.
var crunMended = [3]int{1, 28, 0}

// checkCrun looks for a crun with known faults among an image's files.
func (k *Checker) checkCrun(image string, n *tree.Node, at yml.Position) {
	version := crunSource(k.images.Get(image).Config.Config.Labels[oci.SourcesLabel])
	if crunFaulty(version) {
		k.Faults.Add(at.At("/%s is crun %s, by which an image whose /dev is a link can write to the machine's directories (CVE-2026-47766); want 1.28 or later, or images that you trust",
			n.Path(), version).Warns())
	}
}

// crunNumbers are those of a version such as 1.8.1-1+deb12u1, or 1.28.
var crunNumbers = regexp.MustCompile(`^(\d{1,6})\.(\d{1,6})(?:\.(\d{1,6}))?(?:[-+~.].*)?$`)

func crunFaulty(version string) bool {
	m := crunNumbers.FindStringSubmatch(version)
	if m == nil {
		return false
	}
	var n [3]int
	for i := range n {
		var err error
		if n[i], err = strconv.Atoi(cmp.Or(m[i+1], "0")); err != nil {
			return false
		}
	}
	return slices.Compare(n[:], crunMended[:]) < 0
}

// crunSource is the version of Debian's package that the label of an image of ours names.
// The program does not tell: among its texts are versions of other things too.
func crunSource(sources string) string {
	for source := range strings.SplitSeq(sources, ", ") {
		if version, ok := strings.CutPrefix(source, "crun="); ok {
			return version
		}
	}
	return ""
}

// runtimeName is which of the runtimes with known faults a file is by its name; "": none.
func runtimeName(n *tree.Node) string {
	name := path.Base(n.Path())
	if n.Inode == nil || !slices.Contains(bundle.Runtimes, name) {
		return ""
	}
	return name
}
