package build

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"slipway/pkg/build/tree"
)

// Share is what one part of the YAML brings into the image.
type Share struct {
	Location string // place in the YAML, such as "services[0]"; empty for what the builder adds
	Name     string // of the container
	Image    string
	Bytes    int64 // of files whose content no earlier part has brought
	Files    int   // entries of any kind
	// Shared are bytes of files that an earlier part has brought already: a
	// squashfs holds them once.
	Shared int64
}

// Shares tells what takes the room, the largest first. The sum of their bytes is
// that of all contents in the image, each counted once.
func (m *Machine) Shares() ([]Share, error) {
	byOrigin := map[tree.Origin]*Share{}
	seen := map[[sha256.Size]byte]bool{}
	linked := map[*tree.Inode]bool{}
	for _, n := range m.Root.Nodes() {
		var origin tree.Origin
		if n.Origin != nil {
			origin = tree.Origin{Image: n.Origin.Image, Location: n.Origin.Location}
		}
		s := byOrigin[origin]
		if s == nil {
			s = &Share{Location: origin.Location, Name: m.names[origin.Location], Image: origin.Image}
			byOrigin[origin] = s
		}
		s.Files++
		if n.Inode == nil || linked[n.Inode] {
			continue
		}
		linked[n.Inode] = true
		sum, err := contentSum(n.Inode)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", n.Path(), err)
		}
		if seen[sum] {
			s.Shared += n.Inode.Size
			continue
		}
		seen[sum] = true
		s.Bytes += n.Inode.Size
	}
	var list []Share
	for _, s := range byOrigin {
		list = append(list, *s)
	}
	slices.SortFunc(list, func(a, b Share) int {
		return cmp.Or(-cmp.Compare(a.Bytes, b.Bytes), cmp.Compare(a.Location, b.Location), cmp.Compare(a.Image, b.Image))
	})
	return list, nil
}

func contentSum(i *tree.Inode) (sum [sha256.Size]byte, err error) {
	h := sha256.New()
	if _, err := io.Copy(h, i.Open()); err != nil {
		return sum, err
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}

// WriteReport prints the shares as a table.
func (m *Machine) WriteReport(w io.Writer) error {
	shares, err := m.Shares()
	if err != nil {
		return fmt.Errorf("report what takes the room: %w", err)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	writeShares(table, shares)
	if err := table.Flush(); err != nil {
		return fmt.Errorf("report what takes the room: %w", err)
	}
	return nil
}

// writeShares writes columns that end with tabs; a table keeps its error for
// Flush.
func writeShares(w io.Writer, shares []Share) {
	fmt.Fprintln(w, "SIZE\tSHARED\tFILES\t  PLACE")
	var total Share
	for _, s := range shares {
		total.Bytes, total.Shared, total.Files = total.Bytes+s.Bytes, total.Shared+s.Shared, total.Files+s.Files
		fmt.Fprintf(w, "%s\t%s\t%d\t  %s\n", humanBytes(s.Bytes), humanBytes(s.Shared), s.Files, s.place())
	}
	fmt.Fprintf(w, "%s\t%s\t%d\t  in all, before compression\n", humanBytes(total.Bytes), humanBytes(total.Shared), total.Files)
}

func (s Share) place() string {
	if s.Location == "" {
		return "made by the builder"
	}
	return strings.Join(strings.Fields(s.Location+" "+s.Name+" "+s.Image), " ")
}

func humanBytes(n int64) string {
	switch {
	case n == 0:
		return "-"
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f kB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%.1f MB", float64(n)/(1<<20))
}
