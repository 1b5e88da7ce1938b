package container

import (
	"encoding/json"
	"fmt"
	"os"
	"path"

	"slipway/pkg/bundle"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// mutate lets the Engine's Mutate change the spec. The bundle may lie on a
// read-only file system, so a changed spec is written beside the record, which
// then serves the runtime as bundle; the root path is made absolute for that.
func (s *starting) mutate(dir string) error {
	if s.e.Mutate == nil {
		return nil
	}
	spec, err := clone(s.b.Spec)
	if err != nil {
		return fmt.Errorf("copy the spec: %w", err)
	}
	changed, err := s.e.Mutate(s.b, spec)
	if err != nil || !changed {
		return err
	}
	if spec.Root != nil && !path.IsAbs(spec.Root.Path) {
		spec.Root.Path = s.b.Path(spec.Root.Path)
	}
	data, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	s.call.Bundle = dir
	return os.WriteFile(path.Join(dir, bundle.ConfigFile), data, 0o600)
}

// clone copies a spec whole, so that no change reaches the bundle's.
func clone(spec *specs.Spec) (*specs.Spec, error) {
	data, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	var copied specs.Spec
	return &copied, json.Unmarshal(data, &copied)
}
