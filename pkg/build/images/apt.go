package images

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// A deb is one Debian package file in the cache.
type deb struct {
	Package string `json:"package"`
	Version string `json:"version"`
	Arch    string `json:"arch"`
	File    string `json:"file"` // name in the cache folder
	SHA256  string `json:"sha256"`
}

func (d deb) String() string { return d.Package + "=" + d.Version }

// aptCache fetches Debian packages with apt-get, which knows the machine's
// mirrors, keys and proxies, and keeps each file and which file a name stood
// for. So images can be built again with no network, and no package lists.
type aptCache struct {
	dir string
	// lists is where apt keeps its package lists: as long as they are older than
	// our record of an answer, asking again would give the same answer.
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
	if a.fresh(key) {
		if d, err := a.recorded(key); err == nil {
			a.got[key] = d
			return d, nil
		}
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
	if err := a.record(key, d); err != nil {
		return deb{}, err
	}
	a.got[key] = d
	return d, nil
}

// fresh says that apt's lists have not changed since the record was written.
func (a *aptCache) fresh(key string) bool {
	lists, err := os.Stat(a.lists)
	if err != nil {
		return false
	}
	record, err := os.Stat(filepath.Join(a.dir, key+".json"))
	return err == nil && record.ModTime().After(lists.ModTime())
}

func (a *aptCache) fetchNewest(ctx context.Context, name, arch, follow string) (deb, error) {
	if follow != "" {
		target, err := dependency(ctx, name+":"+arch, follow)
		if err != nil {
			return deb{}, err
		}
		name = target
	}
	d, err := a.resolve(ctx, name, arch)
	if err != nil {
		return deb{}, err
	}
	if sum, err := fileSum(filepath.Join(a.dir, d.File)); err == nil && sum == d.SHA256 {
		return d, nil
	}
	return d, a.download(ctx, d)
}

// resolve asks apt which file it would download.
func (a *aptCache) resolve(ctx context.Context, name, arch string) (deb, error) {
	// In a folder that holds the file already apt-get prints nothing.
	empty, err := os.MkdirTemp("", "slipway-apt-")
	if err != nil {
		return deb{}, err
	}
	defer os.Remove(empty)
	out, err := command{dir: empty, args: []string{"apt-get", "download", "--print-uris", name + ":" + arch}}.output(ctx)
	if err != nil {
		return deb{}, err
	}
	return parseURI(string(out))
}

// parseURI reads one line of `apt-get download --print-uris`:
//
//	'http://...' busybox-static_1%3a1.35.0-4_amd64.deb 928188 SHA256:3d3fdbe9...
func parseURI(line string) (deb, error) {
	fields := strings.Fields(line)
	if len(fields) != 4 {
		return deb{}, fmt.Errorf("read apt-get's answer %q: want four fields", line)
	}
	sum, isSHA256 := strings.CutPrefix(fields[3], "SHA256:")
	parts := strings.Split(strings.TrimSuffix(fields[1], ".deb"), "_")
	if !isSHA256 || len(parts) != 3 || strings.Contains(fields[1], "/") {
		return deb{}, fmt.Errorf("read apt-get's answer %q: want NAME_VERSION_ARCH.deb and SHA256", line)
	}
	version, err := url.PathUnescape(parts[1])
	if err != nil {
		return deb{}, fmt.Errorf("read apt-get's answer %q: %w", line, err)
	}
	return deb{Package: parts[0], Version: version, Arch: parts[2], File: fields[1], SHA256: sum}, nil
}

// dependency returns the package that name depends on and that begins with
// prefix.
func dependency(ctx context.Context, name, prefix string) (string, error) {
	out, err := command{args: []string{"apt-cache", "depends", "--important", name}}.output(ctx)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(out)) {
		target, ok := strings.CutPrefix(strings.TrimSpace(line), "Depends: ")
		if ok && strings.HasPrefix(target, prefix) {
			target, _, _ = strings.Cut(target, ":")
			return target, nil
		}
	}
	return "", fmt.Errorf("%s depends on no package named %s*", name, prefix)
}

// download fetches the file next to its place and moves it there when its sum
// is right, so that the cache never holds half a package.
func (a *aptCache) download(ctx context.Context, d deb) error {
	a.say("downloading %s", d)
	if err := os.MkdirAll(a.dir, 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(a.dir, ".download-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	args := []string{"apt-get", "download", "-q"}
	if os.Geteuid() == 0 {
		// Else apt warns that its own user cannot write to our folder.
		args = append(args, "-o", "APT::Sandbox::User=root")
	}
	args = append(args, d.Package+":"+d.Arch+"="+d.Version)
	if _, err := (command{dir: tmp, args: args}).output(ctx); err != nil {
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

// record remembers what a name stood for; recorded looks it up and makes sure
// that the file is still there and whole.
func (a *aptCache) record(key string, d deb) error {
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(a.dir, key+".json"), append(text, '\n'))
}

func (a *aptCache) recorded(key string) (deb, error) {
	var d deb
	text, err := os.ReadFile(filepath.Join(a.dir, key+".json"))
	if err != nil {
		return d, err
	}
	if err := json.Unmarshal(text, &d); err != nil {
		return d, err
	}
	sum, err := fileSum(filepath.Join(a.dir, d.File))
	if err != nil {
		return d, err
	}
	if sum != d.SHA256 {
		return d, errors.New("file is damaged")
	}
	return d, nil
}

func fileSum(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// writeFile replaces a file in one step.
func writeFile(name string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(name), ".tmp-")
	if err != nil {
		return err
	}
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Chmod(0o644), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return nil
}
