package check

import (
	"archive/tar"
	"bufio"
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"slipway/pkg/build/spec"
	"slipway/pkg/build/tree"
	"slipway/pkg/build/yml"
	"slipway/pkg/bundle"
)

// checkConfig finds what an image's configuration asks for and a container of
// LinuxKit's does not get.
func (k *Checker) checkConfig(c *spec.Container) {
	img := k.images.Get(c.Image)
	if img == nil {
		return
	}
	config, at := img.Config.Config, c.At.Child("image")
	if config.User != "" && c.UID == nil && c.Label.UID == nil {
		if want, root := asUser(config.User, k.root(c)); !root {
			k.Faults.Add(at.At("the image's USER is %q, and the container runs as root, as under LinuxKit", config.User).Wants("%s", want).Warns())
		}
	}
	for _, volume := range slices.Sorted(maps.Keys(config.Volumes)) {
		if !c.HasMount(volume) && !c.Covers(volume) {
			k.Faults.Add(at.At("the image's VOLUME %q is a directory of the container like others, and is gone with it", volume).
				Wants("a bind or a mount there").Warns())
		}
	}
	for _, key := range slices.Sorted(maps.Keys(config.Labels)) {
		if slices.Contains(bundle.PolicyKeys(bundle.Services), key) || slices.Contains(bundle.PolicyKeys(bundle.Onboot), key) {
			k.Faults.Add(at.At("the image's label %s counts for nothing", key).
				Wants("the key among annotations: in the YAML, or in the label %s", spec.LabelKey).Warns())
		}
	}
	k.checkIDMaps(c)
	if c.Section != bundle.Services {
		return
	}
	if h := config.Healthcheck; h != nil && len(h.Test) > 0 && h.Test[0] != "NONE" && c.Policy.Health.Kind == "" {
		k.Faults.Add(at.At("the image's HEALTHCHECK is not run: %q", strings.Join(h.Test[1:], " ")).
			Wants("annotations: {slipway.health: ...}, such as exec:COMMAND or http:PORT/PATH").Warns())
	}
	if _, said := c.Spec.Annotations[spec.StopSignalKey]; config.StopSignal != "" && !said {
		k.Faults.Add(at.At("the image's STOPSIGNAL %q is not used", config.StopSignal).Wants("annotations: {%s: ...}", spec.StopSignalKey).Warns())
	}
}

// checkIDMaps finds idmapped mounts that the OCI runtime, or the boot, does not
// make.
func (k *Checker) checkIDMaps(c *spec.Container) {
	for _, m := range c.Spec.Mounts {
		if (len(m.UIDMappings) == 0) != (len(m.GIDMappings) == 0) {
			k.Faults.Add(mountPosition(c, m).At("the mount on %s maps users or groups alone", m.Destination).Wants("both uidMappings and gidMappings").Warns())
		}
	}
	for _, m := range c.RuntimeJSON.Mounts {
		if len(m.UIDMappings)+len(m.GIDMappings) > 0 {
			k.Faults.Add(k.warn(c, "runtime", "the mount on %s: mappings have no effect in runtime", m.Destination).Wants("the mount in mounts"))
		}
	}
}

// asUser is what to write for a USER to be one; root tells that it is root.
func asUser(user string, image *tree.Tree) (want string, root bool) {
	name, group, _ := strings.Cut(user, ":")
	uid, gid := name, group
	if entry := passwd(image, name); entry != nil {
		uid, gid = entry[0], cmp.Or(gid, entry[1])
	}
	if uid == "0" || uid == "root" {
		return "", true
	}
	want = "uid: N, as the image's /etc/passwd has it"
	if _, err := strconv.Atoi(uid); err == nil {
		want = "uid: " + uid
	}
	if _, err := strconv.Atoi(gid); err == nil {
		want += " and gid: " + gid
	}
	return want + "; uid: 0 if it is to be root", false
}

// maxPasswd bounds the accounts that are looked at.
const maxPasswd = 1 << 20

// passwd gives the numbers of a user by name, or of a number that is listed.
func passwd(image *tree.Tree, user string) []string {
	if image == nil {
		return nil
	}
	n := image.Resolve("etc/passwd")
	if n == nil || n.Inode == nil || n.Inode.Size > maxPasswd {
		return nil
	}
	for lines := bufio.NewScanner(n.Inode.Open()); lines.Scan(); {
		f := strings.Split(lines.Text(), ":")
		if len(f) > 3 && (f[0] == user || f[2] == user) {
			return f[2:4]
		}
	}
	return nil
}

// checkLinks finds links in the place of directories that every image gets, and
// that lead to no directory; and what overlayfs does not show.
func (k *Checker) checkLinks(name string, image *tree.Tree, at yml.Position) {
	for _, dir := range []string{"dev", "etc", "proc", "sys"} {
		if image.Blocked(dir) {
			k.Faults.Add(at.At("/%s of image %s is a link to %q, which leads to no directory: a directory takes its place", dir, name, image.Lookup(dir).Link).Warns())
		}
	}
	for _, n := range image.Nodes() {
		if n.Type == tar.TypeChar && n.Major == 0 && n.Minor == 0 {
			k.Faults.Add(at.At("/%s of %s is the device 0:0, which overlayfs takes for the mark of a deleted file: a container that can write does not see it", n.Path(), n.Origin).Warns())
			return // one tells of its kind
		}
	}
}

// checkRun finds a /run that leads to /var, where the boot makes a link back.
func (k *Checker) checkRun(name string, image *tree.Tree, at yml.Position) {
	n := image.Lookup("run")
	if n == nil || n.IsDir() {
		return
	}
	if target := strings.TrimLeft(n.Link, "/."); target == "var/run" || image.Blocked("run") {
		k.Faults.Add(at.At("/run of image %s is a link to %q, and the boot makes /var/run a link to /run", name, n.Link).Wants("a directory").Warns())
	}
}
