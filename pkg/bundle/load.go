package bundle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// maxFile bounds config.json and runtime.json; LinuxKit's are a few kilobytes.
const maxFile = 1 << 20

// List names the bundles below dir in the order they run in: by name. A dir
// that does not exist has none. What is not a directory is left out. A name that
// cannot be printed comes escaped, and Load refuses it.
func List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list bundles: %w", err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, shown(e.Name()))
		}
	}
	slices.Sort(names)
	return names, nil
}

// Load reads the bundle in dir. A missing runtime.json is an empty one, as in
// the oldest images; anything else that is missing, broken or contradictory is
// an error that names the file. Unknown fields are warnings, because a newer
// builder may write them and LinuxKit's own init ignores them.
func Load(section Section, dir string) (*Bundle, error) {
	b := &Bundle{Name: filepath.Base(dir), Dir: dir, Section: section}
	if err := CheckName(b.ShortName()); err != nil {
		return nil, fmt.Errorf("bundle %s: %w", shown(dir), err)
	}
	warn, err := b.readConfig()
	if err != nil {
		return nil, err
	}
	b.addWarning(warn)
	if err := checkSpec(b.Spec); err != nil {
		return nil, fmt.Errorf("%s: %w", b.Path(ConfigFile), err)
	}
	switch data, err := readRegular(b.Path(RuntimeFile)); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	default:
		if b.Runtime, warn, err = decode[Runtime](b.Path(RuntimeFile), data); err != nil {
			return nil, err
		}
		b.addWarning(warn)
	}
	if err := checkCgroups(b); err != nil {
		return nil, err
	}
	b.Policy, err = ParsePolicy(section, b.Spec.Annotations)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", b.Path(ConfigFile), err)
	}
	return b, nil
}

// readConfig reads the spec, and the filter beside it.
func (b *Bundle) readConfig() (warning, err error) {
	data, err := readRegular(b.Path(ConfigFile))
	if err != nil {
		return nil, err
	}
	data, left := known.cut(data)
	c, warning, err := decode[config](b.Path(ConfigFile), data)
	if err != nil {
		return nil, err
	}
	if b.Spec = c.Spec; b.Spec == nil {
		b.Spec = &specs.Spec{}
	}
	b.Spec.Mounts = c.Mounts
	if c.Linux == nil {
		return warning, nil
	}
	if b.Spec.Linux = c.Linux.Linux; b.Spec.Linux == nil {
		b.Spec.Linux = &specs.Linux{}
	}
	if b.Filter = c.Linux.Seccomp; b.Filter == cutMark && !left.None() {
		b.Filter = left
	}
	known.add(b.Filter)
	if b.Spec.Linux.Seccomp, err = b.Filter.standIn(); err != nil {
		err = fmt.Errorf("%s: %w", b.Path(ConfigFile), err)
	}
	return warning, err
}

func (b *Bundle) addWarning(err error) {
	if err != nil {
		b.Warnings = append(b.Warnings, err)
	}
}

// checkSpec refuses what later code, or the OCI runtime with a worse message,
// would trip over.
func checkSpec(s *specs.Spec) error {
	switch {
	case s.Process == nil:
		return errors.New(`no "process"`)
	case len(s.Process.Args) == 0:
		return errors.New(`"process.args" is empty: the image has no command and the YAML gives none`)
	case s.Root == nil || s.Root.Path == "":
		return errors.New(`no "root.path"`)
	}
	return nil
}

// decode reads the JSON of the file name. A field that is not known is a warning, of
// which the first is told.
func decode[T any](name string, data []byte) (v T, warning, err error) {
	strict := json.NewDecoder(bytes.NewReader(data))
	strict.DisallowUnknownFields()
	strictErr := strict.Decode(&v)
	if strictErr == nil {
		return v, nil, one(name, data, strict)
	}
	if !strings.Contains(strictErr.Error(), "unknown field") {
		return v, nil, jsonError(name, data, strictErr)
	}
	// encoding/json has no typed error for an unknown field.
	var again T
	lax := json.NewDecoder(bytes.NewReader(data))
	if err := lax.Decode(&again); err != nil {
		return v, nil, jsonError(name, data, err)
	}
	field := strings.TrimPrefix(strictErr.Error(), "json: ")
	return again, fmt.Errorf("%s: %s is ignored", name, field), one(name, data, lax)
}

// one refuses what follows the value that was decoded, and what is in it twice.
func one(name string, data []byte, d *json.Decoder) error {
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("%s: more than one JSON value", name)
	}
	return checkTwice(name, data)
}

func jsonError(name string, data []byte, err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("%s:%d: %w", name, line(data, syntax.Offset), err)
	case errors.As(err, &kind):
		return fmt.Errorf("%s:%d: %w", name, line(data, kind.Offset), err)
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%s: the file is empty", name)
	}
	return fmt.Errorf("%s: %w", name, err)
}

func line(data []byte, offset int64) int {
	return 1 + bytes.Count(data[:min(offset, int64(len(data)))], []byte("\n"))
}

// readRegular reads a file that comes from an image: never a FIFO or device,
// on which open or read could hang, and never more than maxFile bytes.
func readRegular(name string) ([]byte, error) {
	info, err := os.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", name)
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s: %d bytes, more than the %d allowed", name, info.Size(), maxFile)
	}
	return os.ReadFile(name)
}
