package oci

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/docker/cli/cli/config"
	"github.com/docker/cli/cli/config/configfile"
	"github.com/docker/docker-credential-helpers/client"
	"github.com/docker/docker-credential-helpers/credentials"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"slipway/pkg/build/input"
)

// keychain finds who we are to registries, as authn.DefaultKeychain does: in what
// "docker login" and Podman's leave, and by asking the credential helpers named there.
// That one waits for a helper without end, and once for each image.
type keychain struct {
	mu    sync.Mutex // held while a helper is asked, which may ask somebody in turn
	known map[string]authn.AuthConfig
	fault map[string]error // of helpers
}

// maxCredentials bounds the file, in bytes.
const maxCredentials = 1 << 20

// of gives the credentials for a repository, or for its registry; Anonymous if there
// are none. Patience is how long a helper may take.
func (k *keychain) of(ctx context.Context, repo name.Repository, patience time.Duration) (authn.Authenticator, error) {
	file, err := loadCredentials()
	if err != nil || file == nil {
		return authn.Anonymous, err
	}
	helped := func(key string) (authn.AuthConfig, error) {
		if name := helperFor(file, key); name != "" {
			return k.ask(ctx, "docker-credential-"+name, key, patience)
		}
		return authn.AuthConfig{}, nil
	}
	for _, look := range []func(string) (authn.AuthConfig, error){written(file), helped} {
		for _, key := range []string{repo.String(), repo.RegistryStr()} {
			if key == name.DefaultRegistry {
				key = authn.DefaultAuthKey
			}
			if c, err := look(key); err != nil || c != (authn.AuthConfig{}) {
				return authn.FromConfig(c), err
			}
		}
	}
	return authn.Anonymous, nil
}

func helperFor(file *configfile.ConfigFile, key string) string {
	return cmp.Or(file.CredentialHelpers[key], file.CredentialsStore)
}

// written looks in the environment (DOCKER_AUTH_CONFIG), and in the file where it names
// no helper.
func written(file *configfile.ConfigFile) func(string) (authn.AuthConfig, error) {
	alone := *file
	alone.CredentialHelpers, alone.CredentialsStore = nil, ""
	return func(key string) (authn.AuthConfig, error) {
		if helperFor(file, key) != "" && os.Getenv(configfile.DockerEnvConfigKey) == "" {
			return authn.AuthConfig{}, nil
		}
		c, err := alone.GetAuthConfig(key)
		return authn.AuthConfig{Username: c.Username, Password: c.Password, Auth: c.Auth, IdentityToken: c.IdentityToken, RegistryToken: c.RegistryToken}, err
	}
}

// ask asks a helper once for each key. One that has not answered is not asked again.
func (k *keychain) ask(ctx context.Context, program, key string, patience time.Duration) (authn.AuthConfig, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	question := program + " " + key
	if c, ok := k.known[question]; ok || k.fault[program] != nil {
		return c, k.fault[program]
	}
	c, err := runHelper(ctx, program, key, patience)
	switch {
	case ctx.Err() != nil:
	case errors.Is(err, errSilent):
		k.fault = map[string]error{program: err}
	case err == nil && k.known == nil:
		k.known = map[string]authn.AuthConfig{question: c}
	case err == nil:
		k.known[question] = c
	}
	return c, err
}

var errSilent = errors.New("no answer")

// runHelper runs a credential helper, which is ended when it is silent for too long.
func runHelper(ctx context.Context, command, key string, patience time.Duration) (authn.AuthConfig, error) {
	silent := fmt.Errorf("%s: %w in %v; it may wait for a password elsewhere: try `echo %s | %s get`", command, errSilent, patience, key, command)
	inTime, cancel := context.WithTimeoutCause(ctx, patience, silent)
	defer cancel()
	found, err := client.Get(func(args ...string) client.Program {
		cmd := exec.CommandContext(inTime, command, args...)
		cmd.Stderr = os.Stderr
		cmd.WaitDelay = time.Second // for a child of it that holds its output
		return &program{cmd}
	}, key)
	switch {
	case err != nil && inTime.Err() != nil:
		return authn.AuthConfig{}, context.Cause(inTime)
	case credentials.IsErrCredentialsNotFound(err):
		return authn.AuthConfig{}, nil
	case err != nil:
		return authn.AuthConfig{}, fmt.Errorf("%s: %w", command, err)
	case found.Username == "<token>": // Docker's protocol of helpers
		return authn.AuthConfig{IdentityToken: found.Secret}, nil
	}
	return authn.AuthConfig{Username: found.Username, Password: found.Secret}, nil
}

// program is a client.Program.
type program struct{ *exec.Cmd }

func (p *program) Input(in io.Reader) { p.Stdin = in }

// loadCredentials reads the first file there is, in the order of authn.DefaultKeychain:
// Docker's, then Podman's; nil if there is none.
func loadCredentials() (*configfile.ConfigFile, error) {
	home := os.Getenv("HOME")
	docker, settings := os.Getenv("DOCKER_CONFIG"), os.Getenv("XDG_CONFIG_HOME")
	if home != "" {
		docker, settings = cmp.Or(docker, filepath.Join(home, ".docker")), cmp.Or(settings, filepath.Join(home, ".config"))
	}
	for _, place := range []struct{ dir, name string }{
		{docker, "config.json"}, {os.Getenv("REGISTRY_AUTH_FILE"), ""},
		{os.Getenv("XDG_RUNTIME_DIR"), "containers/auth.json"}, {settings, "containers/auth.json"},
	} {
		if place.dir == "" {
			continue
		}
		path := filepath.Join(place.dir, place.name)
		f, err := input.Open(path)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read credentials: %w", err)
		}
		defer f.Close()
		file, err := config.LoadFromReader(io.LimitReader(f, maxCredentials))
		if err != nil {
			return nil, fmt.Errorf("read credentials %s: %w", path, err)
		}
		return file, nil
	}
	return nil, nil
}
