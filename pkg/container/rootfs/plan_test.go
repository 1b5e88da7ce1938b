package rootfs

import (
	"reflect"
	"strings"
	"testing"

	"slipway/pkg/bundle"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

const dir = "/containers/services/web"

func plan(t *testing.T, upper string, r bundle.Runtime, f Facts) []string {
	t.Helper()
	annotations := map[string]string{}
	if upper != "" {
		annotations["slipway.upper"] = upper
	}
	policy, err := bundle.ParsePolicy(bundle.Services, annotations)
	if err != nil {
		t.Fatal(err)
	}
	b := &bundle.Bundle{Name: "web", Dir: dir, Section: bundle.Services, Runtime: r, Policy: policy}
	var lines []string
	for _, s := range Plan(b, f, nil) {
		lines = append(lines, strings.ReplaceAll(s.String(), dir, "B"))
	}
	return lines
}

var (
	readWrite = []specs.Mount{
		{Source: "tmpfs", Destination: dir + "/tmp", Type: "tmpfs"},
		{Destination: dir + "/tmp", Options: []string{"remount", "private"}},
		{Source: "overlay", Destination: dir + "/rootfs", Type: "overlay", Options: []string{
			"lowerdir=/containers/onboot/000-a/lower", "upperdir=" + dir + "/tmp/upper", "workdir=" + dir + "/tmp/work"}},
	}
	readOnly = []specs.Mount{{Source: dir + "/rootfs", Destination: dir + "/rootfs", Options: []string{"bind"}}}
	extra    = []specs.Mount{
		{Source: "tmpfs", Destination: "/run/t", Type: "tmpfs", Options: []string{"size=1m"}},
		{Source: "/etc", Destination: "var/../mnt", Type: "bind", Options: []string{"bind", "ro"}},
	}
)

func TestPlan(t *testing.T) {
	for name, tt := range map[string]struct {
		upper   string
		runtime bundle.Runtime
		facts   Facts
		want    []string
	}{
		"today read-only": {runtime: bundle.Runtime{Mounts: readOnly}, want: []string{"mount --bind B/rootfs B/rootfs"}},
		"today read-write": {runtime: bundle.Runtime{Mounts: append(readWrite, extra...), Mkdir: []string{"/run/a", "var/b", "../../up"}}, want: []string{
			"mount -t tmpfs tmpfs B/tmp",
			"mount --make-private B/tmp",
			"mount -t overlay -o lowerdir=/containers/onboot/000-a/lower,upperdir=B/tmp/upper,workdir=B/tmp/work overlay B/rootfs",
			"mount -t tmpfs -o size=1m tmpfs /run/t",
			"mount --bind /etc B/rootfs/mnt",
			"mount -o remount,bind,ro B/rootfs/mnt",
			"mkdir -p -m 755 /run/a",
			"mkdir -p -m 755 B/rootfs/var/b",
			"mkdir -p -m 755 B/rootfs/up",
		}},
		"seed read-only": {runtime: bundle.Runtime{Mounts: extra[:1], Mkdir: []string{"/run/a"}}, want: []string{
			"mount --bind B/rootfs B/rootfs", "mount -t tmpfs -o size=1m tmpfs /run/t", "mkdir -p -m 755 /run/a"}},
		"seed read-write": {facts: Facts{HasLower: true}, want: []string{
			"mount -t tmpfs -o size=10% tmpfs B/tmp",
			"mount --make-private B/tmp",
			"mount -t overlay -o lowerdir=B/lower,upperdir=B/tmp/upper,workdir=B/tmp/work overlay B/rootfs",
		}},
		"size, today": {upper: "tmpfs:64M", runtime: bundle.Runtime{Mounts: readWrite[:1]}, facts: Facts{}, want: []string{
			"mount --bind B/rootfs B/rootfs", "mount -t tmpfs -o size=64M tmpfs B/tmp"}},
		"size, seed": {upper: "tmpfs:25%", facts: Facts{HasLower: true}, want: []string{
			"mount -t tmpfs -o size=25% tmpfs B/tmp",
			"mount --make-private B/tmp",
			"mount -t overlay -o lowerdir=B/lower,upperdir=B/tmp/upper,workdir=B/tmp/work overlay B/rootfs",
		}},
		"disk, today": {upper: "disk:/var/lib/keep", runtime: bundle.Runtime{Mounts: readWrite}, want: []string{
			"mkdir -p -m 755 /var/lib/keep",
			"mount -t overlay -o lowerdir=/containers/onboot/000-a/lower,upperdir=/var/lib/keep/web/upper,workdir=/var/lib/keep/web/work overlay B/rootfs",
		}},
		"disk, seed": {upper: "disk:/var/lib/keep", facts: Facts{HasLower: true}, want: []string{
			"mkdir -p -m 755 /var/lib/keep",
			"mount -t overlay -o lowerdir=B/lower,upperdir=/var/lib/keep/web/upper,workdir=/var/lib/keep/web/work overlay B/rootfs",
		}},
		"disk, read-only": {upper: "disk:/var/lib/keep", runtime: bundle.Runtime{Mounts: readOnly}, want: []string{"mount --bind B/rootfs B/rootfs"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := plan(t, tt.upper, tt.runtime, tt.facts); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("plan:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

// A step's lasting layer goes by its name, not by its position among the steps.
func TestLayerThatLastsIsFoundAgain(t *testing.T) {
	for name, want := range map[bundle.Section]string{
		bundle.Services: "/var/up/003-format", bundle.Onboot: "/var/up/onboot/format", bundle.Onshutdown: "/var/up/onshutdown/format",
	} {
		b := &bundle.Bundle{Name: "003-format", Section: name, Policy: bundle.Policy{Upper: bundle.Upper{Disk: "/var/up"}}}
		if got := layer(b); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestWhatLasts(t *testing.T) {
	b := &bundle.Bundle{Name: "web", Dir: dir, Runtime: bundle.Runtime{Mounts: append(readWrite, extra...)}}
	var got []bool
	for _, s := range Plan(b, Facts{}, nil) {
		got = append(got, s.Lasting())
	}
	if want := []bool{false, false, false, true, false, false}; !reflect.DeepEqual(got, want) {
		t.Errorf("lasting: %v, want %v", got, want)
	}
}

func TestLocate(t *testing.T) {
	service := &bundle.Bundle{Dir: dir}
	elsewhere := &bundle.Bundle{Dir: "/tmp/x/web"}
	for _, tt := range []struct {
		b    *bundle.Bundle
		name string
		want location
	}{
		{service, "/run/a", location{"/", "", "/run/a"}},
		{service, "etc/a", location{"/containers", "services/web/rootfs", "etc/a"}},
		{service, "../../../etc", location{"/containers", "services/web/rootfs", "etc"}},
		{service, dir + "/rootfs", location{"/containers", "services/web/rootfs", ""}},
		{service, dir + "/rootfs/../tmp/upper", location{"/containers", "services/web/tmp", "upper"}},
		{service, "/containers/onboot/000-a/lower/etc", location{"/containers", "onboot/000-a/lower", "etc"}},
		{service, "/containers", location{"/", "", "/containers"}},
		{service, "/containers2/x", location{"/", "", "/containers2/x"}},
		{elsewhere, "a", location{"/tmp/x", "web/rootfs", "a"}},
	} {
		if got := locate(tt.b, tt.name); got != tt.want {
			t.Errorf("locate(%s) = %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

func FuzzLocate(f *testing.F) {
	f.Add("../../a")
	f.Add("/containers/services/../../etc")
	f.Fuzz(func(t *testing.T, name string) {
		p := locate(&bundle.Bundle{Dir: dir}, name)
		if strings.Contains("/"+p.strict+"/"+p.rest+"/", "/../") {
			t.Errorf("locate(%q) = %+v", name, p)
		}
		if !strings.HasPrefix(name, "/") && !strings.HasPrefix(p.String(), dir+"/rootfs") {
			t.Errorf("a relative path leads to %s", p)
		}
	})
}
