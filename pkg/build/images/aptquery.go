package images

import (
	"context"
	"fmt"
	"net/url"
	"strings"
)

// resolve asks apt which file it would download.
func (a apt) resolve(ctx context.Context, name, arch string) (d deb, err error) {
	// In a directory that holds the file already apt-get prints nothing.
	err = inScratch("", func(empty string) error {
		out, err := command{dir: empty, env: a.env, args: []string{"apt-get", "download", "--print-uris", name + ":" + arch}}.output(ctx)
		if err != nil {
			return err
		}
		d, err = parseURI(string(out))
		return err
	})
	return d, err
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
func (a apt) dependency(ctx context.Context, name, prefix string) (string, error) {
	out, err := command{env: a.env, args: []string{"apt-cache", "depends", "--important", name}}.output(ctx)
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
