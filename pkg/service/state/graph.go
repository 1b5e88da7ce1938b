package state

import (
	"fmt"
	"slices"
	"strings"

	"slipway/pkg/bundle"
)

// node is one service.
type node struct {
	Name     string
	After    []string // ordered behind these
	Requires []string // as After, and down with them
}

// Graph is what could be ordered: the fault is of the service that names a wrong thing,
// and the others are ordered without it.
type Graph struct {
	// Order has every name given, a service behind all that it comes after;
	// otherwise by name.
	Order []string
	// Faults are by the name of the service that is at fault.
	Faults map[string]error

	before map[string][]string // what each waits for
	behind map[string][]string // who waits for it
	needs  map[string][]string // the part of before that is required
}

// newGraph orders services by what they name in slipway.after and slipway.requires. A service that names itself, an unknown service, or is part
// of a cycle gets a fault and no edges; who requires it finds that out when it
// fails.
func newGraph(nodes []node) *Graph {
	g := &Graph{
		Faults: map[string]error{}, before: map[string][]string{},
		behind: map[string][]string{}, needs: map[string][]string{},
	}
	nodes = slices.Clone(nodes)
	slices.SortFunc(nodes, func(a, b node) int { return strings.Compare(a.Name, b.Name) })
	known := map[string]bool{}
	var names []string
	for _, n := range nodes {
		known[n.Name] = true
		names = append(names, n.Name)
	}
	for _, n := range nodes {
		g.addEdges(n, known, names)
	}
	g.breakCycles(names)
	for _, name := range names {
		for _, dep := range g.before[name] {
			g.behind[dep] = append(g.behind[dep], name)
		}
	}
	g.sort(names)
	return g
}

func (g *Graph) addEdges(n node, known map[string]bool, names []string) {
	for _, dep := range append(slices.Clone(n.After), n.Requires...) {
		if !known[dep] {
			g.Faults[n.Name] = unknown(n, dep, names)
			return
		}
	}
	for _, dep := range n.Requires {
		if !slices.Contains(g.needs[n.Name], dep) {
			g.needs[n.Name] = append(g.needs[n.Name], dep)
		}
	}
	for _, dep := range append(slices.Clone(n.After), n.Requires...) {
		if !slices.Contains(g.before[n.Name], dep) {
			g.before[n.Name] = append(g.before[n.Name], dep)
		}
	}
}

func unknown(n node, dep string, names []string) error {
	key := bundle.Prefix + "after"
	if slices.Contains(n.Requires, dep) {
		key = bundle.Prefix + "requires"
	}
	if near := bundle.Nearest(dep, names); near != "" {
		return fmt.Errorf("%s names %q, which is no service; did you mean %q?", key, dep, near)
	}
	return fmt.Errorf("%s names %q, which is no service", key, dep)
}

// breakCycles gives every service on a cycle a fault and takes its edges out.
func (g *Graph) breakCycles(names []string) {
	for _, name := range names {
		path := g.cycle(name)
		if path == nil {
			continue
		}
		for i, member := range path[:len(path)-1] {
			turned := append(slices.Clone(path[i:len(path)-1]), path[:i+1]...)
			g.Faults[member] = fmt.Errorf("is part of a cycle: %s", strings.Join(turned, " -> "))
		}
		for _, member := range path[:len(path)-1] {
			delete(g.before, member)
			delete(g.needs, member)
		}
	}
}

// cycle finds a path from start back to it, or nil. What was seen once and did
// not lead back need not be looked at again.
func (g *Graph) cycle(start string) []string {
	seen := map[string]bool{}
	var walk func(name string, path []string) []string
	walk = func(name string, path []string) []string {
		path = append(path, name)
		for _, dep := range g.before[name] {
			if dep == start {
				return append(path, start)
			}
			if seen[dep] {
				continue
			}
			seen[dep] = true
			if found := walk(dep, path); found != nil {
				return found
			}
		}
		return nil
	}
	return walk(start, nil)
}

func (g *Graph) sort(names []string) {
	done := map[string]bool{}
	var visit func(name string)
	visit = func(name string) {
		if done[name] {
			return
		}
		done[name] = true
		deps := slices.Sorted(slices.Values(g.before[name]))
		for _, dep := range deps {
			visit(dep)
		}
		g.Order = append(g.Order, name)
	}
	for _, name := range names {
		visit(name)
	}
}

// Before lists what a service waits for.
func (g *Graph) Before(name string) []string { return g.before[name] }

// Needs lists what a service requires.
func (g *Graph) Needs(name string) []string { return g.needs[name] }

// Behind lists who waits for a service.
func (g *Graph) Behind(name string) []string { return g.behind[name] }

// Requires tells whether a requires b.
func (g *Graph) Requires(a, b string) bool { return slices.Contains(g.needs[a], b) }
