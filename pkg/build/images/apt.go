package images

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// A deb is one Debian package file in the cache.
type deb struct {
	Package string `json:"package"`
	Version string `json:"version"`
	Arch    string `json:"arch"`
	File    string `json:"file"` // name in the cache directory
	SHA256  string `json:"sha256"`
}

func (d deb) String() string { return d.Package + "=" + d.Version }

// aptCache fetches Debian packages with apt-get, which knows the machine's
// mirrors, keys and proxies, and keeps each file and which file a name stood
// for. So images can be built again with no network, and no package lists.
type aptCache struct {
	dir string
	// arch is the machine's, for which its own apt is asked.
	arch string
	// lists is where that keeps its package lists.
	lists string
	// say tells the user something that is no failure.
	say func(format string, args ...any)

	mu  sync.Mutex
	got map[string]deb
}

// fetch returns the package file that apt would install for a name. A name that
// is only a pointer, as linux-image-cloud-amd64 is, is followed when follow is a
// prefix of a package that it depends on.
func (a *aptCache) fetch(ctx context.Context, name, arch, follow string) (deb, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	key := name + "_" + arch
	if d, ok := a.got[key]; ok {
		return d, nil
	}
	d, err := a.fetchNewest(ctx, name, arch, follow)
	if err != nil && ctx.Err() == nil {
		kept, keptErr := a.recorded(key)
		if keptErr != nil {
			return deb{}, fmt.Errorf("fetch package %s for %s: %w (an old package list is the usual cause: try `apt-get update` as root)", name, arch, err)
		}
		a.say("package %s: using %s from the cache: %v", name, kept, err)
		a.got[key] = kept
		return kept, nil
	}
	if err != nil {
		return deb{}, err
	}
	a.got[key] = d
	return d, nil
}

func (a *aptCache) fetchNewest(ctx context.Context, name, arch, follow string) (deb, error) {
	ask := a.system()
	if arch != a.arch {
		var err error
		if ask, err = a.foreign(ctx, arch); err != nil {
			return deb{}, err
		}
	}
	key := name + "_" + arch
	if a.fresh(key, ask.lists) {
		if d, err := a.recorded(key); err == nil {
			return d, nil
		}
	}
	if follow != "" {
		target, err := ask.dependency(ctx, name+":"+arch, follow)
		if err != nil {
			return deb{}, err
		}
		name = target
	}
	d, err := ask.resolve(ctx, name, arch)
	if err != nil {
		return deb{}, err
	}
	if sum, err := fileSum(filepath.Join(a.dir, d.File)); err != nil || sum != d.SHA256 {
		if err := a.download(ctx, ask, d); err != nil {
			return deb{}, err
		}
	}
	return d, a.record(key, d)
}

// fresh says that a record was written after apt's lists: asking again would
// give the same answer.
func (a *aptCache) fresh(key, lists string) bool {
	of, err := os.Stat(lists)
	if err != nil {
		return false
	}
	record, err := os.Stat(filepath.Join(a.dir, key+".json"))
	return err == nil && record.ModTime().After(of.ModTime())
}

// download fetches the file next to its place and moves it there when its sum
// is right, so that the cache never holds half a package.
func (a *aptCache) download(ctx context.Context, ask apt, d deb) error {
	a.say("downloading %s", d)
	if err := os.MkdirAll(a.dir, 0o755); err != nil {
		return err
	}
	return inScratch(a.dir, func(tmp string) error {
		args := []string{"apt-get", "download", "-q"}
		if os.Geteuid() == 0 {
			// Else apt warns that its own user cannot write to our directory.
			args = append(args, "-o", "APT::Sandbox::User=root")
		}
		args = append(args, d.Package+":"+d.Arch+"="+d.Version)
		if _, err := (command{dir: tmp, env: ask.env, args: args}).output(ctx); err != nil {
			return err
		}
		file := filepath.Join(tmp, d.File)
		sum, err := fileSum(file)
		if err != nil {
			return fmt.Errorf("download %s: %w", d, err)
		}
		if sum != d.SHA256 {
			return fmt.Errorf("download %s: sha256 is %s, want %s", d, sum, d.SHA256)
		}
		return os.Rename(file, filepath.Join(a.dir, d.File))
	})
}

// tree unpacks a package in memory.
func (a *aptCache) tree(ctx context.Context, d deb) (Tree, error) {
	out, err := command{args: []string{"dpkg-deb", "--fsys-tarfile", filepath.Join(a.dir, d.File)}}.output(ctx)
	if err != nil {
		return nil, err
	}
	t, err := ReadTar(bytes.NewReader(out))
	if err != nil {
		return nil, fmt.Errorf("unpack %s: %w", d.File, err)
	}
	return t, nil
}
