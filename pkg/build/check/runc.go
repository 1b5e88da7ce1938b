package check

import (
	"cmp"
	"debug/buildinfo"
	"debug/elf"
	"io"
	"regexp"
	"strconv"
	"strings"

	"slipway/pkg/build/oci"
	"slipway/pkg/build/tree"
	"slipway/pkg/build/yml"
)

// runcModule is what runc's own program says that it is.
const runcModule = "github.com/opencontainers/runc"

// runcMended is the first patch of each minor version of runc 1 that containers cannot
// escape from in ways that are known, by runc's own security advisories. Later series
// have all of that from the start, earlier ones never had it.
var runcMended = map[int]int{2: 8, 3: 6, 4: 3, 5: 0}

// checkRuncs looks at each image once, at the first place that names it.
func (k *Checker) checkRuncs() {
	seen := map[string]bool{}
	look := func(image string, at yml.Position) {
		if t := k.Tree(image, at); t != nil && !seen[image] {
			seen[image] = true
			k.checkFaulty(image, t, at)
		}
	}
	for i, name := range k.config.Init {
		look(name, k.config.InitAt[i])
	}
	for _, c := range k.containers {
		look(c.Image, c.At.Child("image"))
	}
}

// checkFaulty looks for runtimes with known faults in an image.
func (k *Checker) checkFaulty(image string, t *tree.Tree, at yml.Position) {
	for _, n := range t.Nodes() {
		switch runtimeName(n) {
		case "crun":
			k.checkCrun(image, n, at)
			continue
		case "":
			continue
		}
		version := cmp.Or(runcVersion(n.Inode.Data), runcSource(k.images.Get(image).Config.Config.Labels[oci.SourcesLabel]))
		if want := runcWant(version); want != "" {
			k.Faults.Add(at.At("/%s is runc %s, which containers can escape from in ways that are known; want %s", n.Path(), version, want).Warns())
		}
	}
}

var runcNumbers = regexp.MustCompile(`^v?(\d+)\.(\d+)\.(\d+)(-[^+]*)?(\+.*)?$`)

// runcWant is the version to take instead; "" if this one has no known faults, or is
// none.
func runcWant(version string) string {
	m := runcNumbers.FindStringSubmatch(version)
	if m == nil {
		return ""
	}
	var n [3]int
	for i := range n {
		var err error
		if n[i], err = strconv.Atoi(m[i+1]); err != nil {
			return ""
		}
	}
	mended, known := runcMended[n[1]]
	switch {
	case n[0] > 1, n[0] == 1 && n[1] > 5:
		return ""
	case n[0] < 1 || !known:
		return "1.2.8, 1.3.6, 1.4.3, 1.5.0 or later"
	case n[2] > mended, n[2] == mended && m[4] == "": // a release candidate comes before it
		return ""
	}
	return "1." + m[2] + "." + strconv.Itoa(mended) + " or later"
}

// runcSource is the version that the label of an image of ours names.
func runcSource(sources string) string {
	for source := range strings.SplitSeq(sources, ", ") {
		if version, ok := strings.CutPrefix(source, runcModule+"@"); ok {
			return version
		}
	}
	return ""
}

var linkedVersion = regexp.MustCompile(`-X[ =]"?'?main\.version=([^\s"']+)`)

// runcVersion is what runc's program says of itself without being run: the version of
// its module, or the one that it was linked with, as its Makefile does. "" if it is
// another program or does not tell.
func runcVersion(program io.ReaderAt) string {
	info, err := buildinfo.Read(program)
	if err != nil || info.Main.Path != runcModule {
		return ""
	}
	if v := strings.TrimSpace(symbolText(program, "main.version")); runcNumbers.MatchString(v) {
		return v
	}
	for _, s := range info.Settings {
		if m := linkedVersion.FindStringSubmatch(s.Value); s.Key == "-ldflags" && m != nil {
			return m[1]
		}
	}
	if runcNumbers.MatchString(info.Main.Version) {
		return info.Main.Version
	}
	return "" // (devel)
}

// symbolText is the value that a variable, a string of Go, has in a program from the
// start; "" if the program was stripped, or is for 32 bits.
func symbolText(program io.ReaderAt, name string) string {
	f, err := elf.NewFile(program)
	if err != nil || f.Class != elf.ELFCLASS64 {
		return ""
	}
	symbols, err := f.Symbols()
	if err != nil {
		return ""
	}
	for _, s := range symbols {
		if s.Name != name {
			continue
		}
		header := make([]byte, 16) // address and length
		if !readAt(f, s.Value, header) {
			return ""
		}
		address, size := f.ByteOrder.Uint64(header), f.ByteOrder.Uint64(header[8:])
		if address == 0 { // a program that may be loaded anywhere
			address = relocated(f, s.Value)
		}
		if size > 64 {
			return ""
		}
		text := make([]byte, size)
		if !readAt(f, address, text) {
			return ""
		}
		return string(text)
	}
	return ""
}

// relocated is the address that the loader puts at a place; 0 if it puts none.
func relocated(f *elf.File, place uint64) uint64 {
	s := f.Section(".rela.dyn")
	if s == nil || s.Size > maxRelocations {
		return 0
	}
	data, err := s.Data()
	if err != nil {
		return 0
	}
	const entry = 24 // offset, info and addend, 8 bytes each
	for ; len(data) >= entry; data = data[entry:] {
		if f.ByteOrder.Uint64(data) == place {
			return f.ByteOrder.Uint64(data[16:])
		}
	}
	return 0
}

// maxRelocations bounds what is read of a program that somebody else has made.
const maxRelocations = 64 << 20

// readAt reads what a program has at an address.
func readAt(f *elf.File, address uint64, into []byte) bool {
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD && address >= p.Vaddr && address-p.Vaddr < p.Filesz {
			_, err := p.ReadAt(into, int64(address-p.Vaddr))
			return err == nil
		}
	}
	return false
}
