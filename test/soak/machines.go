package main

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"slipway/pkg/build/tree"
	"slipway/pkg/qemu"
	"slipway/test/soak/hostile"
)

// A machine has so many hostile bundles, and fewer in the short form, where the
// boot of all of them would take minutes.
const hostileBundles, hostileShort = 150, 25

// machines boots machines that are full of hostile bundles, good ones among them.
func (s *soak) machines(t *tally) error {
	r := t.random()
	for run := range t.wanted {
		n := hostileBundles
		if s.short {
			n = hostileShort
		}
		t.figure("bundles", n)
		t.result(fmt.Sprintf("machine %d", run+1), s.hostileMachine(r, run+1, n))
	}
	return nil
}

func (s *soak) hostileMachine(r *rand.Rand, run, n int) error {
	chosen := variants(r, s.only)
	n = min(n, len(chosen))
	chosen = chosen[:n]
	yaml := head + "onboot:\n"
	for i := range n / 5 {
		yaml += fmt.Sprintf("  - {name: h%03d, image: \"slipway/busybox:v0.1\", readonly: true, command: [\"/bin/true\"]}\n", i)
	}
	yaml += "  - {name: good, image: \"slipway/busybox:v0.1\", command: [\"/bin/echo\", \"good step: ran\"]}\nservices:\n"
	for i := n / 5; i < n; i++ {
		yaml += fmt.Sprintf("  - {name: h%03d, image: \"slipway/busybox:v0.1\", readonly: true, command: [\"/bin/sleep\", \"100000\"], annotations: {slipway.restart: \"no\"}}\n", i)
	}
	yaml += soakService("good", "")
	name := fmt.Sprintf("machines-%d", run)
	var told []string
	image, err := s.image(context.Background(), name, yaml, func(t *tree.Tree) (err error) {
		told, err = spoilTree(t, chosen, n/5)
		return err
	})
	if err != nil {
		return err
	}
	m, err := s.start(filepath.Join(s.dir, name), image, "soak=bundles", qemu.Watch{})
	if err != nil {
		return err
	}
	m.Wait()
	fault := m.verdict()
	if !m.shows(regexp.MustCompile(`^good step: ran`)) {
		fault = errors.Join(fault, errors.New("the good step did not run"))
	}
	return m.finish(qemu.PoweredOff, errors.Join(fault, judgeBundles(m.said(), told)))
}

// judgeBundles wants the good service ready, and each of the others listed, with
// a reason where it is not up.
func judgeBundles(lines, names []string) (fault error) {
	found := map[string]string{}
	for _, line := range lines {
		rest, is := strings.CutPrefix(line, "SERVICE ")
		var s struct{ Name, State, Cause string }
		if !is || json.Unmarshal([]byte(rest), &s) != nil {
			continue
		}
		found[s.Name] = s.State
		if s.State != "ready" && s.Cause == "" {
			fault = errors.Join(fault, fmt.Errorf("service %q is %s, and nobody says why", s.Name, s.State))
		}
	}
	if found["good"] != "ready" {
		fault = errors.Join(fault, fmt.Errorf("the good service is %q", found["good"]))
	}
	for _, name := range names {
		if found[strings.ToValidUTF8(name, "\ufffd")] == "" {
			fault = errors.Join(fault, fmt.Errorf("service %q is not listed", name))
		}
	}
	return fault
}

// spoilTree spoils the bundles of an image, the first of them onboot steps. It
// tells what the services are called then.
func spoilTree(t *tree.Tree, chosen []hostile.Variant, onboot int) (services []string, err error) {
	for i, v := range chosen {
		dir := fmt.Sprintf("containers/services/h%03d", i)
		if i < onboot {
			dir = fmt.Sprintf("containers/onboot/%03d-h%03d", i, i)
		}
		b := &hostile.Bundle{Name: path.Base(dir), Entries: map[string]hostile.Entry{}}
		if b.Config, err = readTree(t, dir+"/config.json"); err != nil {
			return nil, err
		}
		if b.Runtime, err = readTree(t, dir+"/runtime.json"); err != nil {
			return nil, err
		}
		v.Spoil(b)
		name := b.Name
		if i < onboot {
			name = path.Base(dir) // its place in the order is its name
		} else {
			services = append(services, name)
		}
		if err := putBundle(t, dir, path.Join(path.Dir(dir), name), b); err != nil {
			return nil, fmt.Errorf("%s: %w", v.Name, err)
		}
	}
	return services, nil
}

func readTree(t *tree.Tree, file string) (v hostile.JSON, err error) {
	node := t.Lookup(file)
	if node == nil || node.Inode == nil {
		return nil, fmt.Errorf("no %s", file)
	}
	data, err := io.ReadAll(node.Inode.Open())
	if err != nil {
		return nil, err
	}
	return v, json.Unmarshal(data, &v)
}

// putBundle writes a spoiled bundle, in another directory if its name says so.
func putBundle(t *tree.Tree, was, dir string, b *hostile.Bundle) error {
	if dir != was {
		// The image may lie in the old one; only what makes it a bundle moves.
		t.Remove(was + "/config.json")
		t.Remove(was + "/runtime.json")
		if err := t.MkdirAll(dir+"/rootfs", nil); err != nil {
			return err
		}
	}
	for file, v := range map[string]hostile.JSON{"config.json": b.Config, "runtime.json": b.Runtime} {
		data, err := json.Marshal(v)
		if err != nil {
			return err
		}
		text := strings.ReplaceAll(string(data), "/"+was+"/", "/"+dir+"/")
		if err := t.Put(path.Join(dir, file), tree.Entry{Type: tar.TypeReg, Mode: 0o644, Inode: tree.Text(text)}); err != nil {
			return err
		}
	}
	for file, e := range b.Entries {
		at := path.Join(dir, file)
		entry := tree.Entry{Mode: 0o644}
		switch e.Kind {
		case hostile.File:
			entry.Type, entry.Inode = tar.TypeReg, tree.Text(e.Text)
		case hostile.Directory:
			entry.Type, entry.Mode = tar.TypeDir, 0o755
		case hostile.Link:
			entry.Type, entry.Link = tar.TypeSymlink, e.Text
		case hostile.FIFO, hostile.Socket: // an archive has no sockets
			entry.Type = tar.TypeFifo
		}
		if e.Kind == hostile.Missing {
			t.Remove(at)
			continue
		}
		// A directory does not give way to what is none.
		t.Remove(at)
		if err := t.Put(at, entry); err != nil {
			return err
		}
	}
	return nil
}
