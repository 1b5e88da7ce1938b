package output

import (
	"fmt"
	"math"
	"strings"
	"time"

	"slipway/pkg/build/tree"
)

// seconds32 is a time as squashfs and cpio have it: seconds from 1970 to 2106. What
// is outside is brought to the nearer end.
func seconds32(t time.Time) int64 { return max(0, min(t.Unix(), math.MaxUint32)) }

// Loss is what a format cannot hold of an entry, and leaves out.
type Loss struct {
	Node *tree.Node
	What string
}

// maxOwners is how many users and groups a squashfs has numbers for.
const maxOwners = 1<<16 - 1

// Check finds what a format cannot hold, before anything is written. What it can
// go without is a loss; for the rest the error names the file, and the image and
// layer that it is from.
func Check(name string, t *tree.Tree, o Options) ([]Loss, error) {
	switch {
	case name == "tar":
		return nil, nil
	case name != "kernel+squashfs" && !isPayload(t, o):
		return checkCpio(rootNodes(t))
	}
	return checkSquashfs(rootNodes(t))
}

func checkCpio(nodes []*tree.Node) ([]Loss, error) {
	var losses []Loss
	for _, n := range nodes {
		if n.Inode != nil && n.Inode.Size > maxNewc {
			return nil, fmt.Errorf("/%s of %s: %d bytes, and a cpio archive takes files of 4 GB: --initrd payload and kernel+squashfs take it", n.Path(), n.Origin, n.Inode.Size)
		}
		for name := range n.Xattrs {
			what := "attribute " + name
			if name == "security.capability" {
				what = "file capabilities"
			}
			losses = append(losses, Loss{n, what})
		}
	}
	return losses, nil
}

func checkSquashfs(nodes []*tree.Node) ([]Loss, error) {
	var losses []Loss
	owners := map[int]bool{}
	for _, n := range nodes {
		owners[n.UID], owners[n.GID] = true, true
		if len(owners) > maxOwners {
			return nil, fmt.Errorf("/%s of %s: a squashfs has %d users and groups, and here is one more", n.Path(), n.Origin, maxOwners)
		}
		for name := range n.Xattrs {
			if !squashfsHolds(name) {
				losses = append(losses, Loss{n, "attribute " + name})
			}
		}
	}
	return losses, nil
}

// squashfsHolds tells whether an attribute can be in a squashfs: that has a place for
// it, and no container's root is an overlay that would take it for a mark of its own
// (Documentation/filesystems/overlayfs.rst) and hide or refuse files.
func squashfsHolds(name string) bool {
	if strings.HasPrefix(name, "trusted.overlay.") {
		return false
	}
	return strings.HasPrefix(name, "user.") || strings.HasPrefix(name, "trusted.") || strings.HasPrefix(name, "security.")
}
