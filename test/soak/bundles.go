package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"slipway/pkg/bundle"
	"slipway/pkg/container"
	"slipway/pkg/escape"
	"slipway/test/soak/hostile"
)

// bundles starts hostile bundles, one after the other, on this machine.
func (s *soak) bundles(t *tally) error { return s.enclosed(context.Background(), t, "bundles") }

// variants lists those whose names match, in an order of chance. A pattern that
// begins with ! is of those that are left out.
func variants(r *rand.Rand, only string) []hostile.Variant {
	pattern, not := strings.CutPrefix(only, "!")
	matches := regexp.MustCompile(pattern)
	all := slices.DeleteFunc(hostile.Variants(), func(v hostile.Variant) bool { return matches.MatchString(v.Name) == not })
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

func (in *insider) spoilBundles() error {
	if err := in.takeBaseline(); err != nil {
		return err
	}
	all := variants(in.random(), in.only)
	for _, v := range all[:min(in.wanted, len(all))] {
		in.try(v.Name, func() error { return in.spoil(v) })
	}
	return nil
}

// spoil starts one. It may run, or be refused: then with its place and a reason.
func (in *insider) spoil(v hostile.Variant) error {
	dir, err := in.laySpoiled(v)
	if err != nil {
		return err
	}
	defer os.RemoveAll(filepath.Dir(dir)) //nolint:errcheck // the look afterwards tells
	b, err := bundle.Load(bundle.Services, dir)
	if err != nil {
		tell(message{Figure: "refused when read", N: 1})
		if !strings.Contains(err.Error(), escape.Text(filepath.Base(dir))) {
			return fmt.Errorf("does not name the bundle: %w", err)
		}
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	began := time.Now()
	c, err := in.engine.Start(ctx, b, container.IO{})
	if time.Since(began) >= patience {
		return fmt.Errorf("the start takes %s", time.Since(began))
	}
	if err != nil {
		tell(message{Figure: "refused at the start", N: 1})
		return named(b, err)
	}
	tell(message{Figure: "ran", N: 1})
	if err := c.Cleanup(); err != nil {
		return fmt.Errorf("clean up: %w", err)
	}
	// These are for later containers to use: they stay.
	for _, name := range b.Runtime.Cgroups {
		dir := filepath.Join("/sys/fs/cgroup", filepath.Clean("/"+name))
		if _, err := os.Stat(dir); err != nil || dir == "/sys/fs/cgroup" {
			continue // it could not be made
		}
		if err := removeGroups(dir); err != nil {
			return err
		}
	}
	return nil
}

func named(b *bundle.Bundle, err error) error {
	if !strings.Contains(err.Error(), "services "+b.Name+": ") {
		return fmt.Errorf("does not name the bundle: %w", err)
	}
	return nil
}

// laySpoiled makes the bundle's directory; what lies around it goes with it.
func (in *insider) laySpoiled(v hostile.Variant) (string, error) {
	b := &hostile.Bundle{Name: "hostile", Entries: map[string]hostile.Entry{}}
	parent := filepath.Join(room, "containers", "hostile")
	at := func() string { return filepath.Join(parent, b.Name) }
	config, err := asJSON(soundSpec())
	if err != nil {
		return "", err
	}
	b.Config, b.Runtime = config, hostile.JSON{}
	v.Spoil(b)
	if b.Runtime["mounts"] == nil {
		rootfs, err := asJSON(bundle.Runtime{Mounts: []specs.Mount{{Source: room + "/image", Destination: at() + "/rootfs", Options: []string{"bind"}}}})
		if err != nil {
			return "", err
		}
		b.Runtime["mounts"] = rootfs["mounts"]
	}
	if err := os.MkdirAll(filepath.Join(at(), "rootfs"), 0o755); err != nil {
		return "", err
	}
	for file, v := range map[string]any{"config.json": b.Config, "runtime.json": b.Runtime} {
		data, err := json.Marshal(v)
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(at(), file), data, 0o644); err != nil {
			return "", err
		}
	}
	for file, e := range b.Entries {
		if err := lay(filepath.Join(at(), file), e); err != nil {
			return "", err
		}
	}
	return at(), nil
}

func asJSON(v any) (all hostile.JSON, err error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return all, json.Unmarshal(data, &all)
}

func lay(name string, e hostile.Entry) error {
	if err := os.RemoveAll(name); err != nil {
		return err
	}
	switch e.Kind {
	case hostile.Missing:
		return nil
	case hostile.File:
		return os.WriteFile(name, []byte(e.Text), 0o644)
	case hostile.Directory:
		return os.Mkdir(name, 0o755)
	case hostile.Link:
		return os.Symlink(e.Text, name)
	case hostile.FIFO:
		return unix.Mkfifo(name, 0o644)
	case hostile.Socket:
		return unix.Mknod(name, unix.S_IFSOCK|0o644, 0)
	}
	return errors.New("unknown kind " + string(e.Kind))
}
