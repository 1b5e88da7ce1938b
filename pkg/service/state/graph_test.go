package state

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestOrder(t *testing.T) {
	g := newGraph([]node{
		{Name: "web", Requires: []string{"db"}, After: []string{"log"}},
		{Name: "db", After: []string{"log"}},
		{Name: "log"},
		{Name: "alone"},
	})
	if got := strings.Join(g.Order, " "); got != "alone log db web" {
		t.Errorf("order %s", got)
	}
	if len(g.Faults) != 0 {
		t.Errorf("faults %v", g.Faults)
	}
	if got := g.Behind("log"); !slices.Equal(got, []string{"db", "web"}) {
		t.Errorf("behind log: %v", got)
	}
	if !g.Requires("web", "db") || g.Requires("web", "log") {
		t.Error("what web requires is wrong")
	}
}

func TestFaults(t *testing.T) {
	g := newGraph([]node{
		{Name: "a", After: []string{"b"}},
		{Name: "b", After: []string{"c"}},
		{Name: "c", Requires: []string{"a"}},
		{Name: "self", After: []string{"self"}},
		{Name: "typo", Requires: []string{"databse"}},
		{Name: "lost", After: []string{"zzzzzz"}},
		{Name: "database"},
		{Name: "user", Requires: []string{"a"}},
	})
	want := map[string]string{
		"a":    "is part of a cycle: a -> b -> c -> a",
		"b":    "is part of a cycle: b -> c -> a -> b",
		"c":    "is part of a cycle: c -> a -> b -> c",
		"self": "is part of a cycle: self -> self",
		"typo": `slipway.requires names "databse", which is no service; did you mean "database"?`,
		"lost": `slipway.after names "zzzzzz", which is no service`,
	}
	for name, text := range want {
		if got := fmt.Sprint(g.Faults[name]); got != text {
			t.Errorf("%s: %s, want %s", name, got, text)
		}
	}
	if len(g.Faults) != len(want) {
		t.Errorf("faults %v", g.Faults)
	}
	if len(g.Order) != 8 {
		t.Errorf("order %v", g.Order)
	}
	if !slices.Equal(g.Needs("user"), []string{"a"}) {
		t.Error("who requires a service at fault has to keep that edge")
	}
}

// Random graphs: every service is behind all it waits for, or at fault.
func TestOrderOfRandomGraphs(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		n := 1 + r.IntN(60)
		nodes := make([]node, n)
		for i := range nodes {
			nodes[i].Name = fmt.Sprintf("s%02d", i)
			for range r.IntN(4) {
				dep := fmt.Sprintf("s%02d", r.IntN(n))
				if r.IntN(2) == 0 {
					nodes[i].After = append(nodes[i].After, dep)
				} else {
					nodes[i].Requires = append(nodes[i].Requires, dep)
				}
			}
		}
		g := newGraph(nodes)
		if len(g.Order) != n {
			t.Fatalf("%d of %d ordered", len(g.Order), n)
		}
		at := map[string]int{}
		for i, name := range g.Order {
			at[name] = i
		}
		for name := range at {
			for _, dep := range g.Before(name) {
				if at[dep] >= at[name] {
					t.Fatalf("%s is not behind %s in %v", name, dep, g.Order)
				}
			}
		}
	}
}
