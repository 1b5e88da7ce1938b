package oci

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// cpu is an architecture as images are built for it.
type cpu struct{ arch, variant string }

// runs lists what a machine runs, the best first. The order is that of
// containerd's platforms.Only: no variant that is newer than the one asked for,
// older ones from the newest down, and at last the 32-bit architecture that the
// CPU has as well.
func runs(machine cpu) []cpu {
	list := []cpu{machine}
	switch machine.arch {
	case "amd64":
		for n := version(machine.variant) - 1; n > 1; n-- {
			list = append(list, cpu{"amd64", fmt.Sprint("v", n)})
		}
		list = append(list, cpu{arch: "amd64"}, cpu{arch: "386"})
	case "arm64":
		list = append(list, cpu{arch: "arm64"})
		list = append(list, runs(cpu{"arm", "v8"})...)
	case "arm":
		for n := version(machine.variant) - 1; n >= 5; n-- {
			list = append(list, cpu{"arm", fmt.Sprint("v", n)})
		}
	}
	return list
}

// version is the number in a variant such as v3; 0 if there is none.
func version(variant string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(variant, "v"))
	if err != nil || n > 9 {
		return 0
	}
	return n
}

// aliases are other words for an architecture, as uname(1) and Debian have them.
var aliases = map[string]cpu{
	"x86_64": {arch: "amd64"}, "x86-64": {arch: "amd64"}, "aarch64": {arch: "arm64"}, "i386": {arch: "386"},
	"armhf": {"arm", "v7"}, "armel": {"arm", "v6"},
}

// cpuOf is what a platform says of the CPU, with the variant left out that
// everything of its architecture has.
func cpuOf(p v1.Platform) cpu {
	c := cpu{strings.ToLower(p.Architecture), strings.ToLower(p.Variant)}
	if alias, ok := aliases[c.arch]; ok {
		c = cpu{alias.arch, orVariant(c.variant, alias.variant)}
	}
	if n := version(c.variant); n > 0 {
		c.variant = fmt.Sprint("v", n)
	}
	switch {
	case c.arch == "386", c == cpu{"amd64", "v1"}, c == cpu{"arm64", "v8"}:
		c.variant = ""
	case c == cpu{arch: "arm"}:
		c.variant = "v7"
	}
	return c
}

func orVariant(variant, fallback string) string {
	if variant == "" {
		return fallback
	}
	return variant
}

// unspecified tells whether a descriptor or a configuration leaves the platform open.
func unspecified(p *v1.Platform) bool { return p == nil || p.Architecture == "" }

// rank tells how well an image for one platform runs on another: 0 is best, -1
// not at all. What an image says it needs of the operating system (os.features)
// no machine of ours has.
func rank(have, machine v1.Platform) int {
	if os := strings.ToLower(have.OS); os != "" && os != machine.OS || len(have.OSFeatures) > 0 {
		return -1
	}
	return slices.Index(runs(cpuOf(machine)), cpuOf(have))
}

// OtherArch tells whether an image is for another architecture than the machine's,
// which its CPU has as well, such as 386 on amd64.
func OtherArch(have *v1.Platform, machine v1.Platform) bool {
	return !unspecified(have) && cpuOf(*have).arch != cpuOf(machine).arch
}

// describe is a platform as it is told.
func describe(p v1.Platform) string {
	text := p.String()
	if len(p.OSFeatures) > 0 {
		text += " with " + strings.Join(p.OSFeatures, ", ")
	}
	return printable(text)
}

// printable is a text of an image as it can stand in a line.
func printable(text string) string {
	const longest = 200
	if len(text) > longest || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(text[:min(len(text), longest)])
	}
	return text
}

// onlyFor says for what there is an image, where none is for the machine.
func onlyFor(machine v1.Platform, have []v1.Platform) error {
	var names []string
	hint := ""
	for _, p := range have {
		if name := describe(p); len(names) <= maxListed && !slices.Contains(names, name) {
			names = append(names, name)
		}
		if c := cpuOf(p); c.arch == cpuOf(machine).arch && strings.EqualFold(p.OS, machine.OS) && len(p.OSFeatures) == 0 && hint == "" {
			hint = printable(fmt.Sprintf("; --platform linux/%s/%s takes it, for machines whose CPU has that", c.arch, c.variant))
		}
	}
	if len(names) > maxListed {
		names[maxListed] = "and others"
	}
	return fmt.Errorf("%w for %s, only for %s%s", ErrNotFound, machine, strings.Join(names, ", "), hint)
}
