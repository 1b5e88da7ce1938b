package check

import (
	"errors"
	"slices"
	"strings"

	"slipway/pkg/build/spec"
	"slipway/pkg/bundle"
)

// checkPolicy finds unknown and wrong slipway.* annotations.
func (k *Checker) checkPolicy(c *spec.Container) {
	policy, err := bundle.ParsePolicy(c.Section, c.Spec.Annotations)
	c.Policy = policy
	for _, e := range unjoin(err) {
		wrong, is := errors.AsType[*bundle.PolicyError](e)
		if !is {
			k.Faults.Add(c.Annotation("").At("%v", e))
			continue
		}
		if slices.Contains(bundle.PolicyKeys(c.Section), wrong.Key) {
			k.Faults.Add(c.Annotation(wrong.Key).At("%s %q: %s", wrong.Key, wrong.Value, wrong.Reason))
			continue
		}
		fault := c.Annotation("").Key(wrong.Key).At("%s: %s", wrong.Key, wrong.Reason)
		fault.Nearest = wrong.Nearest
		k.Faults.Add(fault)
	}
	k.checkUpper(c)
}

// checkUpper finds a writable layer asked for where there is none.
func (k *Checker) checkUpper(c *spec.Container) {
	const key = bundle.Prefix + "upper"
	if _, asked := c.Spec.Annotations[key]; asked && c.Spec.Root != nil && c.Spec.Root.Readonly {
		k.Faults.Add(c.Annotation(key).At("%s: the container is read-only and has no writable layer", key).Warns())
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
func (k *Checker) checkOrder() {
	services := map[string]*spec.Container{}
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
		k.checkNames(c, bundle.Prefix+"after", c.Policy.After, services, names)
		k.checkNames(c, bundle.Prefix+"requires", c.Policy.Requires, services, names)
	}
	if circle := findCircle(services, names); circle != nil {
		c := services[circle[0]]
		key := bundle.Prefix + "after"
		if slices.Contains(c.Policy.Requires, circle[1]) {
			key = bundle.Prefix + "requires"
		}
		k.Faults.Add(c.Annotation(key).At("services wait for each other: %s", strings.Join(circle, " waits for ")))
	}
}

func (k *Checker) checkNames(c *spec.Container, key string, list []string, services map[string]*spec.Container, names []string) {
	for _, name := range list {
		switch {
		case name == c.Name:
			k.Faults.Add(c.Annotation(key).At("%s: service %q waits for itself", key, name))
		case services[name] == nil && k.isStep(name):
			k.Faults.Add(c.Annotation(key).At("%s: %q is no service; onboot containers are over before services start", key, name))
		case services[name] == nil:
			k.Faults.Add(c.Annotation(key).At("%s: no service is named %q", key, name).Near(name, names).
				Wants("one of %s", strings.Join(names, ", ")))
		}
	}
}

func (k *Checker) isStep(name string) bool {
	return slices.ContainsFunc(k.containers, func(c *spec.Container) bool {
		return c.Section == bundle.Onboot && c.Name == name
	})
}

// findCircle gives the names along a circle of after and requires, the first
// one again at its end; nil if there is none.
func findCircle(services map[string]*spec.Container, names []string) []string {
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
		for _, next := range slices.Concat(c.Policy.Requires, c.Policy.After) {
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
