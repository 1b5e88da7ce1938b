package oci

import (
	"fmt"
	"os"
	"path/filepath"

	"slipway/pkg/build/input"
)

// checkCredentials looks at the files that authn.DefaultKeychain reads, Docker's and
// Podman's: one that never ends would hold up every question to a registry.
func checkCredentials() error {
	home := os.Getenv("HOME")
	for _, file := range []struct {
		dir, name string
	}{
		{home, ".docker/config.json"},
		{os.Getenv("DOCKER_CONFIG"), "config.json"},
		{os.Getenv("REGISTRY_AUTH_FILE"), ""},
		{os.Getenv("XDG_RUNTIME_DIR"), "containers/auth.json"},
		{os.Getenv("XDG_CONFIG_HOME"), "containers/auth.json"},
		{home, ".config/containers/auth.json"},
	} {
		if file.dir == "" {
			continue
		}
		if err := input.Check(filepath.Join(file.dir, file.name)); err != nil {
			return fmt.Errorf("read credentials: %w", err)
		}
	}
	return nil
}
