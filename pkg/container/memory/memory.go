// Package memory tells who holds the memory that all containers share, and why
// the kernel killed when it ran out.
package memory

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"slipway/pkg/container/cgroup"
)

// Holder is a container and what it holds, in bytes.
type Holder struct {
	Name        string
	Held, Files uint64
}

// Use is how the containers' memory is used at a moment.
type Use struct {
	Limit, Held uint64
	Holders     []Holder // who holds the most first
	// Left is in files that containers have left behind, in /run, /tmp, /var.
	Left uint64
}

// Look looks. What is known of containers, by their ids, is not read again. Without a
// common limit it is zero.
func Look(known map[string]cgroup.Memory) (u Use, err error) {
	all := cgroup.Top()
	if !all.Exists() {
		return u, nil
	}
	limit := all.MemoryLimit()
	if limit == 0 {
		return u, nil
	}
	m, err := all.Memory()
	if err != nil {
		return u, err
	}
	groups, err := cgroup.Members()
	if err != nil {
		return u, err
	}
	u.Limit, u.Held = limit, m.Held()
	left := m.Files
	for name, g := range groups {
		one, is := known[name]
		if !is {
			if one, err = g.Memory(); err != nil {
				continue // it has ended meanwhile
			}
		}
		u.Holders = append(u.Holders, Holder{name, one.Held(), one.Files})
		left -= min(left, one.Files)
		u.Held += one.KeptCache()
	}
	u.Left = left
	slices.SortFunc(u.Holders, func(a, b Holder) int {
		return cmp.Or(cmp.Compare(b.Held, a.Held), strings.Compare(a.Name, b.Name))
	})
	return u, nil
}

// Short tells whether there is little left.
func (u Use) Short() bool { return u.Limit > 0 && u.Held >= u.Limit/8*7 }

// Most is who holds the most; "" if nobody holds a fifth of the limit.
func (u Use) Most() string {
	if len(u.Holders) == 0 || u.Holders[0].Held < u.Limit/5 {
		return ""
	}
	return u.Holders[0].Name
}

func (u Use) String() string {
	return fmt.Sprintf("containers hold %s of the %s that all of them may have: %s", Size(u.Held), Size(u.Limit), u.who())
}

// named is how many are named.
const named = 3

// who names those that hold the most, and what nobody holds any more.
func (u Use) who() string {
	var words []string
	for _, h := range u.Holders[:min(named, len(u.Holders))] {
		words = append(words, h.String())
	}
	if u.Left > u.Limit/16 {
		words = append(words, fmt.Sprintf("%s lies in files that containers have left in /run, /tmp or /var", Size(u.Left)))
	}
	return strings.Join(words, ", ")
}

func (h Holder) String() string {
	if h.Files <= h.Held/8 {
		return fmt.Sprintf("%s %s", h.Name, Size(h.Held))
	}
	return fmt.Sprintf("%s %s (%s in files in memory)", h.Name, Size(h.Held), Size(h.Files))
}

// Why words the limit that made the kernel kill in a group, and who has filled
// it. It has to be asked before the group is removed; "" if it cannot be told.
func Why(g cgroup.Group) string {
	m, err := g.Memory()
	if err != nil {
		return ""
	}
	if g.GroupOOM() {
		limit := g.MemoryLimit()
		if limit == 0 {
			return "a limit within it was hit"
		}
		return fmt.Sprintf("its own limit of %s was hit%s", Size(limit), files(m.Files, limit))
	}
	if outer, name := g.Outer(); name != cgroup.Parent {
		return whyElsewhere(outer, name)
	}
	u, err := Look(nil)
	if err != nil || u.Limit == 0 || !cgroup.Top().LimitHit() {
		return noneLeft
	}
	if peak := g.MemoryPeak(); peak > 0 {
		return fmt.Sprintf("the limit of all containers, %s, was hit; it held %s at most, now hold %s",
			Size(u.Limit), Size(peak), u.who())
	}
	return fmt.Sprintf("the limit of all containers, %s, was hit; now hold %s", Size(u.Limit), u.who())
}

const noneLeft = "the machine had none left"

// whyElsewhere is for groups that are not in that of all containers: onshutdown's,
// and those that YAML names.
func whyElsewhere(outer cgroup.Group, name string) string {
	limit := outer.MemoryLimit()
	if limit == 0 || !outer.GroupOOM() {
		return noneLeft
	}
	return fmt.Sprintf("the limit of all in cgroup %s, %s, was hit", name, Size(limit))
}

func files(held, limit uint64) string {
	if held <= limit/8 {
		return ""
	}
	return fmt.Sprintf(", %s of it by files in memory, such as those of its writable layer", Size(held))
}
