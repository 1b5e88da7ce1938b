package sbom

import (
	"path"
	"strings"

	"slipway/pkg/build/tree"
)

// Where package managers keep what is installed. Images without a package
// manager have a file for each Debian package instead.
const (
	dpkgStatus    = "var/lib/dpkg/status"
	dpkgDirectory = "var/lib/dpkg/status.d"
	apkOld        = "lib/apk/db/installed"
	apkNew        = "usr/lib/apk/db/installed"
	osRelease     = "etc/os-release"
)

// stanzas calls use for each block of "Key: value" lines; an empty line ends a
// block. Lines that go on with the value before, by a space, are of no interest.
func stanzas(text, separator string, use func(map[string]string)) {
	block := map[string]string{}
	for line := range strings.Lines(text + "\n\n") {
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			if len(block) > 0 {
				use(block)
			}
			block = map[string]string{}
			continue
		}
		if key, value, ok := strings.Cut(line, separator); ok && !strings.HasPrefix(line, " ") {
			block[key] = strings.TrimSpace(value)
		}
	}
}

// vendor is the distribution's name for itself.
func vendor(t *tree.Tree, fallback string) (string, error) {
	release, err := text(t, osRelease)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(release) {
		if id, ok := strings.CutPrefix(strings.TrimSpace(line), "ID="); ok && id != "" {
			return strings.Trim(id, `"'`), nil
		}
	}
	return fallback, nil
}

func dpkg(i Image) ([]Package, error) {
	files := []string{dpkgStatus}
	if directory := i.Tree.Resolve(dpkgDirectory); directory != nil {
		for _, n := range directory.Children() {
			if !strings.HasSuffix(n.Name, ".md5sums") {
				files = append(files, path.Join(dpkgDirectory, n.Name))
			}
		}
	}
	vendor, err := vendor(i.Tree, "debian")
	if err != nil {
		return nil, err
	}
	var list []Package
	for _, file := range files {
		status, err := text(i.Tree, file)
		if err != nil {
			return nil, err
		}
		stanzas(status, ":", func(b map[string]string) {
			state, there := b["Status"]
			if b["Package"] == "" || there && !strings.HasSuffix(state, " installed") {
				return
			}
			list = append(list, Package{Type: "deb", Vendor: vendor, Name: b["Package"], Version: b["Version"], Arch: b["Architecture"]})
		})
	}
	return list, nil
}

func apk(i Image) ([]Package, error) {
	vendor, err := vendor(i.Tree, "alpine")
	if err != nil {
		return nil, err
	}
	var list []Package
	for _, file := range []string{apkOld, apkNew} {
		installed, err := text(i.Tree, file)
		if err != nil {
			return nil, err
		}
		stanzas(installed, ":", func(b map[string]string) {
			if b["P"] == "" {
				return
			}
			list = append(list, Package{Type: "apk", Vendor: vendor, Name: b["P"], Version: b["V"], Arch: b["A"], License: b["L"]})
		})
	}
	return list, nil
}
