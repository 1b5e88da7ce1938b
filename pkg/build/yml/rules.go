package yml

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// rule is what a value has to be beyond its kind.
type rule struct {
	ok   func(value string) bool
	want string
	// warns is for what LinuxKit's tool builds, and the machine then refuses.
	warns bool
}

// of is a schema with further rules; of several that are broken the first is told.
func (s *schema) of(rules ...rule) *schema {
	out := *s
	out.rules = append(slices.Clone(s.rules), rules...)
	return &out
}

// broken is the first rule that a value does not keep to; nil if there is none.
func (s *schema) broken(value string) *rule {
	for i := range s.rules {
		if !s.rules[i].ok(value) {
			return &s.rules[i]
		}
	}
	return nil
}

func (r *rule) fault(p Position, n *yaml.Node) Fault {
	f := p.At("%q", n.Value).Wants("%s", r.want)
	if n.Tag == "!!int" {
		f.Message = found(n)
	}
	if r.warns {
		f = f.Warns()
	}
	return f
}

// should makes a rule whose breach is a warning.
func (r rule) should() rule { r.warns = true; return r }

// between are whole numbers, both ends included.
func between(from, to int64, want string) rule {
	return rule{want: want, ok: func(v string) bool {
		n, err := strconv.ParseInt(decimal(v), 10, 64)
		return err == nil && n >= from && n <= to
	}}
}

// orZero takes 0 too, which leaves a limit as it is.
func (r rule) orZero() rule { return r.or("0") }

// or takes one more text.
func (r rule) or(text string) rule {
	ok := r.ok
	r.ok = func(v string) bool { return v == text || ok(v) }
	return r
}

func like(pattern, want string) rule {
	re := regexp.MustCompile(pattern)
	return rule{ok: re.MatchString, want: want}
}

// The bounds of Linux 6.12 and runc. What they do not take fails at the container's
// start, since LinuxKit's tool builds it.
var (
	natural  = rule{want: "0 or more", ok: func(v string) bool { return !strings.HasPrefix(v, "-") }}
	uint16s  = between(0, 1<<16-1, "0 to 65535")
	uint32s  = between(0, 1<<32-1, "0 to 4294967295")
	majors   = between(0, 1<<12-1, "0 to 4095, as Linux numbers devices").should()
	minors   = between(0, 1<<20-1, "0 to 1048575, as Linux numbers devices").should()
	anyMajor = between(-1, 1<<12-1, "0 to 4095, or -1 for all").should()
	anyMinor = between(-1, 1<<20-1, "0 to 1048575, or -1 for all").should()
	weights  = between(10, 1000, "10 to 1000").should().orZero()
	// noLimit is -1 in limits that have the word max.
	noLimit = between(-1, 1<<63-1, "0 or more, or -1 for no limit").should()

	absolute = rule{want: "an absolute path", warns: true, ok: func(v string) bool { return v == "" || path.IsAbs(v) }}
	allOr    = rule{want: `an absolute path, or "all"`, warns: true, ok: func(v string) bool { return v == "all" || path.IsAbs(v) }}
	notEmpty = rule{want: "a path", warns: true, ok: func(v string) bool { return v != "" }}

	// hostNames are what uname(2) has room for, __NEW_UTS_LEN.
	hostNames = rule{want: "at most 64 bytes, with no white space", warns: true, ok: func(v string) bool {
		return len(v) <= MaxHostname && !strings.ContainsAny(v, " \t\r\n")
	}}
	// linkNames are what IFNAMSIZ has room for, dev_valid_name.
	linkNames = rule{want: "1 to 15 bytes, with no white space, / or :", warns: true, ok: func(v string) bool {
		return v != "" && v != "." && v != ".." && len(v) <= 15 && !strings.ContainsAny(v, " \t\r\n/:")
	}}
	cpuLists = rule{want: `numbers and ranges such as "0-2,5"`, warns: true, ok: isCPUList}

	hugePages = rule{want: "the bytes of a huge page, such as 2097152", warns: true, ok: func(v string) bool {
		n, err := strconv.ParseInt(decimal(v), 10, 64)
		return err == nil && n >= 1<<16 && n&(n-1) == 0
	}}
)

// MaxHostname are the bytes of a host or domain name.
const MaxHostname = 64

// MaxSource bounds a file that is copied into the machine, in bytes: it is in memory
// until the image is written.
const MaxSource = 4 << 30

var cpuRange = regexp.MustCompile(`^([0-9]{1,9})(?:-([0-9]{1,9})(?::[0-9]{1,9}/[0-9]{1,9})?)?$`)

// isCPUList tells what bitmap_parselist of the kernel takes; "" leaves all.
func isCPUList(v string) bool {
	for part := range strings.SplitSeq(strings.TrimSpace(v), ",") {
		m := cpuRange.FindStringSubmatch(part)
		if m == nil && v != "" {
			return false
		}
		if m == nil || m[2] == "" {
			continue
		}
		from, _ := strconv.Atoi(m[1]) // nine digits
		to, _ := strconv.Atoi(m[2])
		if from > to {
			return false
		}
	}
	return true
}
