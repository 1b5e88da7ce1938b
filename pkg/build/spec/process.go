package spec

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"slipway/pkg/build/yml"
)

// IDs are the numbers that stand for container names as uid and gid.
type IDs map[string]uint32

// firstID is the number of the first container; LinuxKit counts from there.
const firstID = 100

// ContainerIDs gives every container a number, in the order in which they are
// built. Of two containers with one name, the later one's counts.
func ContainerIDs(c *yml.Config) IDs {
	out := IDs{"": 0, "root": 0}
	for i, x := range c.Containers() {
		if x.Name != "" && x.Name != "root" {
			out[x.Name] = uint32(firstID + i)
		}
	}
	return out
}

func (m IDs) Names() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(m)), func(n string) bool { return n == "" })
}

// Number looks an ID up; ok is false if no container has the name.
func (m IDs) Number(id *yml.ID) (uint32, bool) {
	switch {
	case id == nil:
		return 0, true
	case id.Name == "":
		return id.Number, true
	}
	n, ok := m[id.Name]
	return n, ok
}

func (t *translator) user() specs.User {
	y, l := &t.c.Settings, t.label
	user := specs.User{UID: t.id("uid", -1, either(y.UID, l.UID)), GID: t.id("gid", -1, either(y.GID, l.GID))}
	for i, id := range or(y.AdditionalGids, l.AdditionalGids, nil) {
		user.AdditionalGids = append(user.AdditionalGids, t.id("additionalGids", i, &id))
	}
	return user
}

func (t *translator) id(key string, i int, id *yml.ID) uint32 {
	n, ok := t.ids.Number(id)
	if !ok {
		t.faults.Add(t.fault(key, i, "no container is named %q", id.Name).Near(id.Name, t.ids.Names()).
			Wants("a number, or the name of a container"))
	}
	return n
}

// limits are setrlimit(2)'s.
var limits = []string{
	"AS", "CORE", "CPU", "DATA", "FSIZE", "LOCKS", "MEMLOCK", "MSGQUEUE", "NICE", "NOFILE", "NPROC", "RSS",
	"RTPRIO", "RTTIME", "SIGPENDING", "STACK",
}

func (t *translator) rlimits() []specs.POSIXRlimit {
	var list []specs.POSIXRlimit
	for i, text := range or(t.c.Rlimits, t.label.Rlimits, nil) {
		parts := strings.Split(text, ",")
		if len(parts) != 3 {
			t.faults.Add(t.fault("rlimits", i, "limit %q", text).Wants("NAME,SOFT,HARD such as nofile,1024,1048576"))
			continue
		}
		name := strings.TrimPrefix(strings.ToUpper(strings.TrimSpace(parts[0])), "RLIMIT_")
		if !slices.Contains(limits, name) {
			t.faults.Add(t.fault("rlimits", i, "no limit is named %q", parts[0]).Near(name, limits).
				Wants("one of %s", strings.ToLower(strings.Join(limits, ", "))))
			continue
		}
		soft, softOK := limitValue(parts[1])
		hard, hardOK := limitValue(parts[2])
		if !softOK || !hardOK {
			t.faults.Add(t.fault("rlimits", i, "limit %q", text).Wants("whole numbers or unlimited"))
			continue
		}
		switch {
		case soft > hard:
			t.faults.Add(t.fault("rlimits", i, "%q: the soft limit is above the hard one", text).Warns())
		case name == "NOFILE" && hard > maxFiles:
			t.faults.Add(t.fault("rlimits", i, "%q: more open files than Linux has room for", text).
				Wants("%d at most, unless a step of the boot raises fs.nr_open", maxFiles).Warns())
		}
		list = append(list, specs.POSIXRlimit{Type: "RLIMIT_" + name, Soft: soft, Hard: hard})
	}
	return list
}

// maxFiles is fs.nr_open as Linux has it at the beginning.
const maxFiles = 1 << 20

func limitValue(text string) (uint64, bool) {
	text = strings.TrimSpace(text)
	if strings.EqualFold(text, "unlimited") {
		return math.MaxUint64, true
	}
	n, err := strconv.ParseUint(text, 10, 64)
	return n, err == nil
}
