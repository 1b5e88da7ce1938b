package oci

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/docker/cli/cli/config"
	"github.com/docker/cli/cli/config/configfile"
	credentialstore "github.com/docker/cli/cli/config/credentials"
	"github.com/docker/cli/cli/config/types"
	"github.com/docker/docker-credential-helpers/client"
	"github.com/docker/docker-credential-helpers/credentials"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"slipway/pkg/build/input"
)

// keychain finds who we are to registries, in what "docker login" and Podman's leave, and
// by asking the credential helpers named there. It looks where authn.DefaultKeychain does,
// which waits for a helper without end, and once for each image; and for Podman's names.
type keychain struct {
	run func(ctx context.Context, program, key string, timeout time.Duration) (authn.AuthConfig, error) // runHelper if nil

	mu    sync.Mutex // held while a helper is asked, which may ask somebody in turn
	known map[string]authn.AuthConfig
	fault map[string]error // of helpers
}

// maxCredentials bounds the file, in bytes.
const maxCredentials = 1 << 20

// of gives the credentials for a repository, or for what it is in; Anonymous if there are
// none. Those of the environment (DOCKER_AUTH_CONFIG) come before all of the file.
// Timeout is how long a helper may take.
func (k *keychain) of(ctx context.Context, repo name.Repository, timeout time.Duration) (authn.Authenticator, error) {
	file, err := loadCredentials()
	if err != nil || file == nil {
		return authn.Anonymous, err
	}
	environment, err := configfile.New("").GetAllCredentials()
	if err != nil {
		return nil, fmt.Errorf("read DOCKER_AUTH_CONFIG: %w", err)
	}
	for _, look := range []func(string) (authn.AuthConfig, error){
		func(key string) (authn.AuthConfig, error) { return written(environment, key), nil },
		func(key string) (authn.AuthConfig, error) { return k.filed(ctx, file, repo, key, timeout) },
	} {
		for _, key := range keysOf(repo) {
			if c, err := look(key); err != nil || c != (authn.AuthConfig{}) {
				return authn.FromConfig(c), err
			}
		}
	}
	return authn.Anonymous, nil
}

// keysOf are the names under which credentials for a repository may be, the narrowest
// first: its own, those above it, as Podman has them (containers-auth.json(5)), and the
// registry's. Docker Hub has two names, and Docker one more for it.
func keysOf(repo name.Repository) []string {
	hosts, keys := []string{repo.RegistryStr()}, []string(nil)
	if hosts[0] == name.DefaultRegistry {
		hosts = append(hosts, "docker.io")
	}
	for above := repo.RepositoryStr(); above != "."; above = path.Dir(above) {
		for _, host := range hosts {
			keys = append(keys, host+"/"+above)
		}
	}
	return append(append(keys, registryKey(repo)), hosts...)
}

// registryKey is Docker's name of a registry.
func registryKey(repo name.Repository) string {
	if repo.RegistryStr() == name.DefaultRegistry {
		return authn.DefaultAuthKey
	}
	return repo.RegistryStr()
}

// filed looks in the file, or asks the helper that it names for the key. The helper for
// all, which is Docker's, is asked for Docker's names alone.
func (k *keychain) filed(ctx context.Context, file *configfile.ConfigFile, repo name.Repository, key string, timeout time.Duration) (authn.AuthConfig, error) {
	helper, own := file.CredentialHelpers[key]
	if !own {
		helper = file.CredentialsStore
	}
	switch {
	case helper == "": // of its own too: "the file, and not the one for all"
		return written(file.AuthConfigs, key), nil
	case own || key == repo.String() || key == registryKey(repo):
		return k.ask(ctx, "docker-credential-"+helper, key, timeout)
	}
	return authn.AuthConfig{}, nil
}

// written is what stands under a key, or under the URL of a registry, as old versions of
// Docker wrote it.
func written(auths map[string]types.AuthConfig, key string) authn.AuthConfig {
	c, ok := auths[key]
	for _, url := range slices.Sorted(maps.Keys(auths)) {
		if !ok && url != authn.DefaultAuthKey && isRegistryURL(url) && credentialstore.ConvertToHostname(url) == key {
			c, ok = auths[url], true
		}
	}
	return authn.AuthConfig{Username: c.Username, Password: c.Password, Auth: c.Auth, IdentityToken: c.IdentityToken, RegistryToken: c.RegistryToken}
}

// isRegistryURL tells https://HOST/v1/ and HOST/v1/ from a repository.
func isRegistryURL(key string) bool {
	return strings.Contains(key, "://") || strings.HasSuffix(key, "/")
}

// ask asks a helper once for each key. One that has not answered is not asked again.
func (k *keychain) ask(ctx context.Context, program, key string, timeout time.Duration) (authn.AuthConfig, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.known == nil {
		k.known, k.fault = map[string]authn.AuthConfig{}, map[string]error{}
	}
	question := program + " " + key
	if c, ok := k.known[question]; ok {
		return c, nil
	}
	if err := k.fault[program]; err != nil {
		return authn.AuthConfig{}, err
	}
	run := k.run
	if run == nil {
		run = runHelper
	}
	c, err := run(ctx, program, key, timeout)
	switch {
	case ctx.Err() != nil:
	case errors.Is(err, errSilent):
		k.fault[program] = err
	case err == nil:
		k.known[question] = c
	}
	return c, err
}

var errSilent = errors.New("no answer")

// runHelper runs a credential helper, which is ended when it is silent for too long.
func runHelper(ctx context.Context, command, key string, timeout time.Duration) (authn.AuthConfig, error) {
	silent := fmt.Errorf("%s: %w in %v; it may wait for a password elsewhere: try `echo %s | %s get`", command, errSilent, timeout, key, command)
	inTime, cancel := context.WithTimeoutCause(ctx, timeout, silent)
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
		_, err := os.Stat(path)
		// Another user's directory is no place of ours: XDG_RUNTIME_DIR after su.
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, os.ErrPermission) {
			continue
		}
		f, err := input.Open(path)
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
