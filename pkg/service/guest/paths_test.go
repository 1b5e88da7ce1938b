package guest

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"slipway/pkg/bundle"
)

func TestFind(t *testing.T) {
	p := Paths{Containers: t.TempDir(), Services: t.TempDir(), Run: "/r"}
	for _, dir := range []string{
		filepath.Join(p.Containers, "onboot/000-dhcp"), filepath.Join(p.Containers, "onshutdown/000-bye"),
		filepath.Join(p.Containers, "services/ignored"), filepath.Join(p.Services, "web"), filepath.Join(p.Services, "dhcp"),
	} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]struct {
		section   bundle.Section
		directory string
	}{
		"web":      {bundle.Services, "web"},
		"dhcp":     {bundle.Services, "dhcp"}, // before the step of that name
		"000-dhcp": {bundle.Onboot, "000-dhcp"},
		"bye":      {bundle.Onshutdown, "000-bye"},
	} {
		section, directory, _, err := p.Find(name)
		if err != nil || section != want.section || directory != want.directory {
			t.Errorf("%s: %s %s, %v", name, section, directory, err)
		}
	}
	_, _, names, err := p.Find("ignored")
	if want := []string{"dhcp", "web", "000-dhcp", "000-bye"}; !errors.Is(err, os.ErrNotExist) || !reflect.DeepEqual(names, want) {
		t.Errorf("%v, %v", names, err)
	}
	if n := p.Count(bundle.Services); n != 2 {
		t.Errorf("%d services", n)
	}
	p.Services = ""
	if n, none := p.Count(bundle.Services), (Paths{Containers: "/nowhere"}).Count(bundle.Onboot); n != 1 || none != 0 {
		t.Errorf("%d services, %d steps", n, none)
	}
	if got := p.RunDir("notify", "web"); got != "/r/slipway/notify/web" {
		t.Error(got)
	}
}
