package module

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// kernel makes a tree of lists as depmod writes them.
func kernel(t *testing.T, files map[string]string) (dir, etc string) {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(root, "m"), filepath.Join(root, "etc")
}

var lists = map[string]string{
	"m/modules.dep": `kernel/virtio.ko: kernel/virtio_ring.ko
kernel/virtio_ring.ko:
kernel/virtio_pci.ko: kernel/virtio.ko kernel/virtio_ring.ko
kernel/virtio-net.ko.xz: kernel/virtio.ko kernel/virtio_ring.ko
kernel/button.ko:
kernel/crc32c.ko:
kernel/ext4.ko: kernel/jbd2.ko
kernel/jbd2.ko:
kernel/nf_log.ko:
kernel/a.ko:
kernel/b.ko:
`,
	"m/modules.builtin": "kernel/fs/proc-thing.ko\n",
	"m/modules.alias": `# Aliases extracted from modules themselves.
alias pci:v00001AF4d*sv*sd*bc*sc*i* virtio_pci
alias virtio:d00000001v* virtio_net
alias acpi*:PNP0C0C:* button
alias fs-ext4 ext4
alias crypto-crc32c crc32c
alias of:N*T*Cvirtio,mmioC* virtio_mmio
`,
	"m/modules.softdep": "softdep ext4 pre: crypto-crc32c\nsoftdep jbd2 post: nf_log\nsoftdep a pre: b\nsoftdep b pre: a\n",
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"pci:v00001AF4d*sv*", "pci:v00001AF4d00001000sv00001AF4", true},
		{"pci:v00001AF4d*sv*", "pci:v00008086d00001000sv00001AF4", false},
		{"acpi*:PNP0C0C:*", "acpi:PNP0C0C:", true},
		{"acpi*:PNP0C0C:*", "acpi:PNP0C0A:PNP0C0C:", true},
		{"input:b*v*p*e*-e*1,*k*", "input:b0019v0000p0001e0000-e0,1,k74,ramlsfw", true},
		{"cpu:type:x86,ven*fam*mod*:feature:*0099*", "cpu:type:x86,ven0002fam0Fmod6B:feature:,0001,0099,", true},
		{"a?c", "abc", true},
		{"a?c", "ac", false},
		{"a[bd]c", "adc", true},
		{"a[!bd]c", "adc", false},
		{"a[b-d]c", "acc", true},
		{"a[b-d]c", "aec", false},
		{"a[b", "ab", false},
		{"net-pf-10", "net_pf_10", true},
		{"*", "", true},
		{"", "x", false},
		{"a*b*c", "aXbYbZc", true},
		{"a*b*c", "aXbYbZd", false},
	} {
		if got := match(c.pattern, c.name); got != c.want {
			t.Errorf("match(%q, %q) = %v", c.pattern, c.name, got)
		}
	}
}

func TestResolve(t *testing.T) {
	files := map[string]string{"etc/modprobe.d/x.conf": "blacklist button\nalias nick ext4\n"}
	maps.Copy(files, lists)
	dir, etc := kernel(t, files)
	x, err := open(dir, etc, "quiet modprobe.blacklist=virtio-net virtio_pci.force_legacy=1")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		names string
		deny  bool
		want  string
	}{
		{"ext4", false, "ext4"},
		{"fs-ext4", false, "ext4"},
		{"virtio-net", false, "virtio_net"},
		{"virtio:d00000001v00001AF4", false, "virtio_net"},
		{"virtio:d00000001v00001AF4", true, ""},
		{"acpi:PNP0C0C:", false, "button"},
		{"acpi:PNP0C0C:", true, ""},
		{"proc_thing", false, ""},
		{"nick", false, "ext4"},
		{"nothing", false, ""},
		{"pci:v00001AF4d00001000sv00001AF4sd0bc02sc00i00 pci:v00001AF4d00001005sv00001AF4sd0bc02sc00i00", true, "virtio_pci"},
	} {
		got := x.Resolve(strings.Fields(c.names), c.deny)
		if strings.Join(got, " ") != c.want {
			t.Errorf("Resolve(%s, %v) = %v, want %s", c.names, c.deny, got, c.want)
		}
	}
	if got := x.config.options["virtio_pci"]; got != "force_legacy=1" {
		t.Errorf("options from the command line: %q", got)
	}
}

// recorder is a loader whose kernel only takes notes.
func recorder(t *testing.T) (*Loader, func() []string) {
	t.Helper()
	dir, etc := kernel(t, lists)
	x, err := open(dir, etc, "")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var order []string
	l := NewLoader(x)
	l.insert = func(file, options string, _ bool) error {
		mu.Lock()
		defer mu.Unlock()
		order = append(order, Name(file))
		if Name(file) == "button" {
			return errors.New("no such button")
		}
		return nil
	}
	return l, func() []string { return order }
}

func TestUnsigned(t *testing.T) {
	for cmdline, want := range map[string]bool{
		"console=ttyS0":            false,
		"slipway.modules=unsigned": true,
		"a slipway.modules=unsigned slipway.modules=signed": false,
		"xslipway.modules=unsigned slipway.modules":         false,
		"slipway.modules=signed slipway.modules=unsigned b": true,
	} {
		if got := Unsigned(cmdline); got != want {
			t.Errorf("%q: %t, want %t", cmdline, got, want)
		}
	}
}

func TestSignatureSize(t *testing.T) {
	trailer := func(signer, key byte, size uint32) string {
		return string([]byte{0, 0, 2, signer, key, 0, 0, 0, byte(size >> 24), byte(size >> 16), byte(size >> 8), byte(size)}) + marker
	}
	const ends = int64(trailerSize + len(marker))
	for name, c := range map[string]struct {
		end        string
		size, want int64
	}{
		"signed":              {trailer(0, 0, 681), 46089, 681 + ends},
		"with signer and key": {trailer(10, 20, 300), 46089, 330 + ends},
		"no signature":        {strings.Repeat("x", int(ends)), 46089, 0},
		"a marker alone":      {marker, int64(len(marker)), 0},
		"more than there is":  {trailer(0, 0, 1<<31), 46089, 0},
		"nothing but it":      {trailer(0, 0, 100), 100 + ends, 0},
		"empty":               {"", 0, 0},
	} {
		if got := signatureSize([]byte(c.end), c.size); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

func TestLoadOrder(t *testing.T) {
	for name, c := range map[string]struct {
		load  []string
		order [][2]string // first before second
		count int
	}{
		"dependencies":      {[]string{"virtio_net", "virtio_pci"}, [][2]string{{"virtio_ring", "virtio"}, {"virtio", "virtio_pci"}, {"virtio", "virtio_net"}}, 4},
		"soft dependencies": {[]string{"fs-ext4"}, [][2]string{{"crc32c", "ext4"}, {"jbd2", "ext4"}}, 4},
		"a circle":          {[]string{"a"}, [][2]string{{"b", "a"}}, 2},
		"twice":             {[]string{"a", "b", "a"}, nil, 2},
	} {
		t.Run(name, func(t *testing.T) {
			l, order := recorder(t)
			if err := l.Load(c.load, true); err != nil {
				t.Fatal(err)
			}
			got := order()
			if len(got) != c.count {
				t.Errorf("loaded %v, want %d", got, c.count)
			}
			for _, pair := range c.order {
				if slices.Index(got, pair[0]) < 0 || slices.Index(got, pair[0]) > slices.Index(got, pair[1]) {
					t.Errorf("loaded %v, but %s has to come before %s", got, pair[0], pair[1])
				}
			}
		})
	}
}

func TestLoadGoesOnAfterAnError(t *testing.T) {
	l, order := recorder(t)
	err := l.Load([]string{"button", "virtio"}, false)
	if err == nil || !strings.Contains(err.Error(), "no such button") {
		t.Errorf("error is %v", err)
	}
	if !slices.Contains(order(), "virtio") {
		t.Errorf("loaded %v, not virtio", order())
	}
}

func TestOpenWithoutModules(t *testing.T) {
	if _, err := open(t.TempDir(), t.TempDir(), ""); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error is %v, want one for a missing file", err)
	}
}

func TestParseArgs(t *testing.T) {
	names, quiet, deny, all, err := parseArgs([]string{"-abq", "--", "-x"})
	if err != nil || !quiet || !deny || !all || len(names) != 1 || names[0] != "-x" {
		t.Errorf("got %v %v %v %v %v", names, quiet, deny, all, err)
	}
	for args, want := range map[string]string{"": "usage: modprobe", "-q": "usage: modprobe", "-r x": "unknown option -r", "-qx x": "unknown option -qx"} {
		if _, _, _, _, err := parseArgs(strings.Fields(args)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", args, err, want)
		}
	}
}

func FuzzMatch(f *testing.F) {
	f.Add("a*[!b-d]?", "axe")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if len(pattern) > 200 || len(name) > 200 {
			return
		}
		if !match("*", name) {
			t.Error("a star does not match everything")
		}
		if pattern == name && !strings.ContainsAny(pattern, `*?[\`) && !match(pattern, name) {
			t.Errorf("%q does not match itself", name)
		}
	})
}
