// Package lock keeps the images of a configuration by digest: in a file beside the
// YAML, which people put under version control with it.
//
// `slipway build --lock` writes it (Finder records what a build takes), a build that
// finds one takes what it says and nothing else, and `slipway images update` renews
// it. Names stand there as the YAML has them, so that whoever reads it finds them.
package lock

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"slipway/pkg/build/input"
	"slipway/pkg/build/signature"
)

// File is the content of a lock file.
type File struct {
	// Version is that of the format.
	Version int `yaml:"version"`
	// Images are digests ("sha256:...") by platform of the machine ("linux/amd64"),
	// then by Key.
	Images map[string]map[string]string `yaml:"images"`
	// Verify are public keys in PEM, of which one has to have signed each image.
	Verify []string `yaml:"verify,omitempty"`
}

// Keys are those of Verify.
func (f *File) Keys() (signature.Keys, error) {
	var keys signature.Keys
	for i, text := range f.Verify {
		key, err := signature.ParseKey(text)
		if err != nil {
			return nil, fmt.Errorf("verify[%d]: %w", i, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// version is the one format there is.
const version = 1

// Key is how an image stands in the file: its name, with the platform if that is not
// the machine's, as volumes may have it.
func Key(name, platform, machine string) string {
	if platform == machine {
		return name
	}
	return name + " (" + platform + ")"
}

// Path is where the lock file of a YAML file lies: m.lock beside m.yml. It is "" for
// what is no file.
func Path(yml string) string {
	if yml == "-" || strings.Contains(yml, "://") {
		return ""
	}
	return strings.TrimSuffix(yml, filepath.Ext(yml)) + ".lock"
}

// New is a lock file with nothing in it.
func New() *File { return &File{Version: version, Images: map[string]map[string]string{}} }

// maxText bounds a lock file, which has a line for each image.
const maxText = 8 << 20

// Read reads a lock file; nil if there is none. Errors name the file and the key.
func Read(path string) (*File, error) {
	data, err := input.Read(path, maxText)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read lock file: %w", err)
	}
	f, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("read lock file %s: %w", path, err)
	}
	return f, nil
}

var digest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// Parse reads the text of a lock file, which has to be whole.
func Parse(data []byte) (*File, error) {
	f := &File{}
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	if err := d.Decode(f); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if err := d.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the end of the list")
	}
	if f.Version != version {
		return nil, fmt.Errorf("version: is %d, want %d", f.Version, version)
	}
	if len(f.Images) == 0 {
		return nil, errors.New("images: is empty")
	}
	if _, err := f.Keys(); err != nil {
		return nil, err
	}
	for _, platform := range slices.Sorted(maps.Keys(f.Images)) {
		for _, key := range slices.Sorted(maps.Keys(f.Images[platform])) {
			if text := f.Images[platform][key]; !digest.MatchString(text) {
				return nil, fmt.Errorf("images: %s: %s: is %q, want sha256: and 64 hexadecimal digits", platform, key, text)
			}
		}
	}
	return f, nil
}

// Text is the file as it is written: the same content gives the same bytes.
func (f *File) Text(yml string) ([]byte, error) {
	var out bytes.Buffer
	fmt.Fprintf(&out, "# The images of %s by digest: `slipway build` takes these and no others, and\n# `slipway images update` renews them.\n", filepath.Base(yml))
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	err := errors.Join(e.Encode(f), e.Close())
	return out.Bytes(), err
}
