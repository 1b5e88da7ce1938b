package build

import (
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"slipway/pkg/build/yml"
)

// warnMount points at the entry that asks for a mount.
func (k *checker) warnMount(c *container, m specs.Mount) yml.Fault {
	message := "the image has no " + m.Destination + " to mount on, and being read-only none can be made"
	for _, key := range []string{"binds", "binds.add", "tmpfs"} {
		for i, text := range texts(c, key) {
			parts := strings.Split(text, ":")
			if key == "tmpfs" && parts[0] == m.Destination || key != "tmpfs" && len(parts) > 1 && parts[1] == m.Destination {
				return c.At.Child(key).Item(i).At("%s", message).Warns()
			}
		}
	}
	if c.Mounts != nil {
		for i, x := range *c.Mounts {
			if x.Destination == m.Destination {
				return c.At.Child("mounts").Item(i).At("%s", message).Warns()
			}
		}
	}
	return c.At.Child("image").At("%s", message).Warns()
}

func texts(c *container, key string) []string {
	list := map[string]*[]string{"binds": c.Binds, "binds.add": c.BindsAdd, "tmpfs": c.Tmpfs}[key]
	if list == nil {
		return nil
	}
	return *list
}
