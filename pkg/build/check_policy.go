package build

import (
	"errors"
	"slices"
	"strings"

	"slipway/pkg/build/yml"
	"slipway/pkg/bundle"
)

// checkPolicy finds unknown and wrong slipway.* annotations.
func (k *checker) checkPolicy(c *container) {
	policy, err := bundle.ParsePolicy(c.Section, c.spec.Annotations)
	c.policy = policy
	for _, e := range unjoin(err) {
		var wrong *bundle.PolicyError
		if !errors.As(e, &wrong) {
			k.faults.Add(annotation(c, "").At("%v", e))
			continue
		}
		if slices.Contains(bundle.PolicyKeys(c.Section), wrong.Key) {
			k.faults.Add(annotation(c, wrong.Key).At("%s %q: %s", wrong.Key, wrong.Value, wrong.Reason))
			continue
		}
		fault := annotation(c, "").Key(wrong.Key).At("%s: %s", wrong.Key, wrong.Reason)
		fault.Nearest = wrong.Nearest
		k.faults.Add(fault)
	}
	k.checkUpper(c)
}

// annotation is the place of an annotation: in the YAML, or the image whose
// label has it.
func annotation(c *container, key string) yml.Place { return annotationOf(c.Container, key) }

func annotationOf(c *yml.Container, key string) yml.Place {
	if !c.At.Has("annotations") {
		return c.At.Child("image")
	}
	if key == "" {
		return c.At.Child("annotations")
	}
	return c.At.Child("annotations").Child(key)
}

// checkUpper finds a writable layer asked for where there is none.
func (k *checker) checkUpper(c *container) {
	const key = bundle.Prefix + "upper"
	if _, asked := c.spec.Annotations[key]; asked && c.spec.Root != nil && c.spec.Root.Readonly {
		k.faults.Add(annotation(c, key).At("%s: the container is read-only and has no writable layer", key).Warns())
	}
}

func unjoin(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

// checkOrder finds services that wait for what does not exist, or for
// themselves.
func (k *checker) checkOrder() {
	services := map[string]*container{}
	var names []string
	for _, c := range k.containers {
		if c.Section == bundle.Services {
			services[c.Name] = c
			names = append(names, c.Name)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	for _, c := range k.containers {
		k.checkNames(c, bundle.Prefix+"after", c.policy.After, services, names)
		k.checkNames(c, bundle.Prefix+"requires", c.policy.Requires, services, names)
	}
	if circle := findCircle(services, names); circle != nil {
		c := services[circle[0]]
		key := bundle.Prefix + "after"
		if slices.Contains(c.policy.Requires, circle[1]) {
			key = bundle.Prefix + "requires"
		}
		k.faults.Add(annotation(c, key).At("services wait for each other: %s", strings.Join(circle, " waits for ")))
	}
}

func (k *checker) checkNames(c *container, key string, list []string, services map[string]*container, names []string) {
	for _, name := range list {
		switch {
		case name == c.Name:
			k.faults.Add(annotation(c, key).At("%s: service %q waits for itself", key, name))
		case services[name] == nil && k.isStep(name):
			k.faults.Add(annotation(c, key).At("%s: %q is no service; onboot containers are over before services start", key, name))
		case services[name] == nil:
			k.faults.Add(annotation(c, key).At("%s: no service is named %q", key, name).Near(name, names).
				Wants("one of %s", strings.Join(names, ", ")))
		}
	}
}

func (k *checker) isStep(name string) bool {
	return slices.ContainsFunc(k.containers, func(c *container) bool {
		return c.Section == bundle.Onboot && c.Name == name
	})
}

// findCircle gives the names along a circle of after and requires, the first
// one again at its end; nil if there is none.
func findCircle(services map[string]*container, names []string) []string {
	done := map[string]bool{}
	var path []string
	var visit func(string) []string
	visit = func(name string) []string {
		if i := slices.Index(path, name); i >= 0 {
			return append(slices.Clone(path[i:]), name)
		}
		c := services[name]
		if c == nil || done[name] {
			return nil
		}
		path = append(path, name)
		for _, next := range slices.Concat(c.policy.Requires, c.policy.After) {
			if next == name {
				continue // told by checkNames
			}
			if circle := visit(next); circle != nil {
				return circle
			}
		}
		path = path[:len(path)-1]
		done[name] = true
		return nil
	}
	for _, name := range names {
		if circle := visit(name); circle != nil {
			return circle
		}
	}
	return nil
}
