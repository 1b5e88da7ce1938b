package check

import (
	"path"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"slipway/pkg/build/spec"
	"slipway/pkg/bundle"
)

// checkProcess finds commands and values that the OCI runtime refuses.
func (k *Checker) checkProcess(c *spec.Container) {
	p := c.Spec.Process
	switch {
	case len(p.Args) == 0 && (c.Command != nil || k.images.Get(c.Image) != nil):
		k.Faults.Add(k.warn(c, "command", "no command: the image has none and the YAML gives none"))
	case len(p.Args) > 0 && p.Args[0] == "":
		k.Faults.Add(k.warn(c, "command", "a command with no program").Wants("the program first"))
	}
	for i, v := range p.Env {
		if strings.Index(v, "=") < 1 {
			k.Faults.Add(k.warnItem(c, "env", i, "%q", v).Wants("NAME=VALUE"))
		}
	}
	if n := p.OOMScoreAdj; n != nil && (*n < -1000 || *n > 1000) {
		k.Faults.Add(k.warn(c, "oomScoreAdj", "%d", *n).Wants("-1000 to 1000"))
	}
	if !strings.HasPrefix(p.Cwd, "/") {
		k.Faults.Add(k.warn(c, "cwd", "%q", p.Cwd).Wants("an absolute path"))
	}
}

// namespace finds one in a spec; ok is false if the machine's is used.
func namespace(s *specs.Spec, kind specs.LinuxNamespaceType) (where string, ok bool) {
	for _, n := range s.Linux.Namespaces {
		if n.Type == kind {
			return n.Path, true
		}
	}
	return "", false
}

// checkNamespaces finds settings that need a namespace the container does not
// have, and paths on which nobody keeps a namespace.
func (k *Checker) checkNamespaces(c *spec.Container) {
	if _, own := namespace(c.Spec, specs.UTSNamespace); c.Spec.Hostname != "" && !own && !c.Unspecified("uts") {
		k.Faults.Add(k.warn(c, "hostname", "a host name in the machine's own namespace").Wants("uts: new beside it"))
	}
	where, own := namespace(c.Spec, specs.UserNamespace)
	mapped := len(c.Spec.Linux.UIDMappings) > 0 || len(c.Spec.Linux.GIDMappings) > 0
	switch {
	case mapped && !own && !c.Unspecified("userns"):
		k.Faults.Add(k.warn(c, "uidMappings", "mappings without a user namespace").Wants("userns: new beside them"))
	case own && where == "" && !mapped && !c.Unspecified("uidMappings") && !c.Unspecified("gidMappings"):
		k.Faults.Add(k.warn(c, "userns", "a user namespace without mappings").Wants("uidMappings and gidMappings"))
	}
	for _, n := range []struct {
		key  string
		kind specs.LinuxNamespaceType
	}{
		{"net", specs.NetworkNamespace}, {"pid", specs.PIDNamespace}, {"ipc", specs.IPCNamespace},
		{"uts", specs.UTSNamespace}, {"userns", specs.UserNamespace},
	} {
		if where, own := namespace(c.Spec, n.kind); own && where != "" {
			k.checkNamespacePath(c, n.key, where)
		}
	}
}

func (k *Checker) checkNamespacePath(c *spec.Container, key, where string) {
	if !strings.HasPrefix(where, "/") {
		words := []string{"host", "new"}
		if key == "net" {
			words = append(words, "none")
		}
		k.Faults.Add(k.warn(c, key, "%q", where).Near(where, words).Wants("%s or an absolute path", strings.Join(words, ", ")))
		return
	}
	if strings.HasPrefix(where, "/proc/") {
		return
	}
	kept := map[string]string{"userns": "user"}[key]
	if kept == "" {
		kept = key
	}
	var made []string
	for _, other := range k.containers {
		for _, b := range other.RuntimeJSON.BindNS.Paths() {
			if b.NS != kept {
				continue
			}
			if spec.MachinePath(b.Path) == spec.MachinePath(where) {
				if before(other, c) {
					return
				}
				k.Faults.Add(k.warn(c, key, "%s is made by %s %s, which runs later", where, other.Section, other.Name))
				return
			}
			made = append(made, b.Path)
		}
	}
	fault := k.warn(c, key, "no container keeps a namespace on %s", where).Near(where, made).
		Wants("a runtime: bindNS: %s: of an earlier container", kept)
	mayKeep := func(other *spec.Container) bool { return other.Unread && before(other, c) }
	if fault.Nearest != "" || !slices.ContainsFunc(k.containers, mayKeep) {
		k.Faults.Add(fault)
	}
}

// checkBindNS finds two containers that keep their namespaces on one file.
func (k *Checker) checkBindNS() {
	first := map[string]*spec.Container{}
	for _, c := range k.containers {
		for _, b := range c.RuntimeJSON.BindNS.Paths() {
			p := spec.MachinePath(b.Path)
			if other := first[p]; other != nil && other != c {
				k.Faults.Add(k.warn(c, "runtime", "bindNS: %s %s keeps a namespace on %s already", other.Section, other.Name, b.Path))
			}
			first[p] = c
		}
	}
}

// checkCgroups finds services of which one ends with the other, because all of a
// container's cgroup is killed at its end.
func (k *Checker) checkCgroups() {
	for i, c := range k.containers {
		for _, other := range k.containers[:i] {
			a, b := c.Spec.Linux.CgroupsPath, other.Spec.Linux.CgroupsPath
			if c.Section != bundle.Services || other.Section != bundle.Services || a == "" || b == "" {
				continue
			}
			a, b = path.Join("/", a), path.Join("/", b)
			if spec.Within(a, b) || spec.Within(b, a) {
				k.Faults.Add(k.warn(c, "cgroupsPath", "%s is not apart from %s of service %s: what ends one kills the other", a, b, other.Name).
					Wants(bundle.CgroupsPathWords))
			}
		}
	}
}
