package build

import (
	"fmt"
	"io"
	"sort"

	"slipway/pkg/build/tree"
)

// Share is what one part of the YAML brings into the image.
type Share struct {
	Location string // place in the YAML, such as "services[0]"
	Image    string
	Bytes    int64 // of files, each content counted once
	Files    int
}

// Shares tells what takes the room, the largest first. A container whose image
// another one has brought already has next to nothing.
func (m *Machine) Shares() []Share {
	byOrigin := map[tree.Origin]*Share{}
	seen := map[*tree.Inode]bool{}
	for _, n := range m.Root.Nodes() {
		if n.Origin == nil {
			continue
		}
		s := byOrigin[*n.Origin]
		if s == nil {
			s = &Share{Location: n.Origin.Location, Image: n.Origin.Image}
			byOrigin[*n.Origin] = s
		}
		s.Files++
		if n.Inode != nil && !seen[n.Inode] {
			seen[n.Inode] = true
			s.Bytes += n.Inode.Size
		}
	}
	var list []Share
	for _, s := range byOrigin {
		list = append(list, *s)
	}
	sort.Slice(list, func(i, j int) bool {
		if list[i].Bytes != list[j].Bytes {
			return list[i].Bytes > list[j].Bytes
		}
		return list[i].Location < list[j].Location
	})
	return list
}

// WriteReport prints the shares as a table.
func (m *Machine) WriteReport(w io.Writer) error {
	for _, s := range m.Shares() {
		if _, err := fmt.Fprintf(w, "%10.1f MB %6d files  %-14s %s\n", float64(s.Bytes)/(1<<20), s.Files, s.Location, s.Image); err != nil {
			return err
		}
	}
	return nil
}
