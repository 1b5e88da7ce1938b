package build

import (
	"fmt"

	"slipway/pkg/build/output"
	"slipway/pkg/build/spec"
	"slipway/pkg/build/yml"
)

// places are where the YAML names what the machine is made of, by the location
// that its entries have.
func places(c *yml.Config, containers []*spec.Container) map[string]yml.Position {
	all := map[string]yml.Position{"kernel": c.Kernel.At.Child("image")}
	for i, at := range c.InitAt {
		all[fmt.Sprintf("init[%d]", i)] = at
	}
	for i, v := range c.Volumes {
		all[fmt.Sprintf("volumes[%d]", i)] = v.At.Child("image")
	}
	for _, x := range containers {
		all[x.Location()] = x.At.Child("image")
	}
	for i, f := range c.Files {
		all[fmt.Sprintf("files[%d]", i)] = f.At
	}
	return all
}

// CheckFormat finds what of the machine a format cannot hold: a warning for what
// it goes without, an error for what it cannot be written with.
func (m *Machine) CheckFormat(format string, o output.Options) (yml.Faults, error) {
	losses, err := output.Check(format, m.Root, o)
	if err != nil {
		return nil, fmt.Errorf("format %s: %w", format, err)
	}
	type kind struct{ location, what string }
	var order []kind
	first, count := map[kind]string{}, map[kind]int{}
	for _, l := range losses {
		key := kind{what: l.What}
		if l.Node.Origin != nil {
			key.location = l.Node.Origin.Location
		}
		if count[key]++; count[key] == 1 {
			order = append(order, key)
			first[key] = l.Node.Path()
		}
	}
	var faults yml.Faults
	for _, key := range order {
		more := ""
		if n := count[key]; n > 1 {
			more = fmt.Sprintf(" and %d more files", n-1)
		}
		faults.Add(m.places[key.location].At("%s cannot hold the %s of /%s%s, which are lost", format, key.what, first[key], more).Warns())
	}
	faults.Sort()
	return faults, nil
}
