package images

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// An apt is how apt is asked about packages of one architecture.
type apt struct {
	env   []string
	lists string // directory of its package lists
}

// A package list of our own is fetched again when it is older than this.
const listsAge = 24 * time.Hour

// system is the machine's apt, for packages of its own architecture.
func (a *aptCache) system() apt { return apt{lists: a.lists} }

// foreign is an apt with the machine's sources and package lists of our own, so
// that packages of another architecture are found without changing the
// machine's configuration, and by an ordinary user.
func (a *aptCache) foreign(ctx context.Context, arch string) (apt, error) {
	dir := filepath.Join(a.dir, "apt-"+arch)
	for _, sub := range []string{"lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return apt{}, err
		}
	}
	for name, text := range map[string]string{"status": "", "conf": foreignConf(dir, arch)} {
		if err := writeFile(filepath.Join(dir, name), []byte(text)); err != nil {
			return apt{}, err
		}
	}
	f := apt{env: []string{"APT_CONFIG=" + filepath.Join(dir, "conf")}, lists: filepath.Join(dir, "lists")}
	stamp := filepath.Join(dir, "updated")
	if info, err := os.Stat(stamp); err == nil && time.Since(info.ModTime()) < listsAge {
		return f, nil
	}
	a.say("fetching package lists for %s", arch)
	if _, err := (command{env: f.env, args: []string{"apt-get", "update", "-q", "--error-on=any"}}).output(ctx); err != nil {
		return apt{}, err
	}
	return f, writeFile(stamp, nil)
}

// foreignConf is read after the machine's own configuration.
func foreignConf(dir, arch string) string {
	return fmt.Sprintf(`APT::Architecture "%[2]s";
APT::Architectures { "%[2]s"; };
Dir::State::lists "%[1]s/lists";
Dir::State::status "%[1]s/status";
Dir::Cache "%[1]s/cache";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
`, dir, arch)
}
