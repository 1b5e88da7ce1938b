package images

import (
	"bytes"
	"debug/buildinfo"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"slipway/pkg/version"
)

// git runs git in a clone with nothing of the user's settings.
func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

// cloneOf is a repository with one commit, v1.2.3, whose image high notes versions.
func cloneOf(t *testing.T) string {
	t.Helper()
	for key, value := range map[string]string{
		"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.com",
		"GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.com", "GIT_AUTHOR_DATE": "1700000000 +0000", "GIT_COMMITTER_DATE": "1700000000 +0000",
	} {
		t.Setenv(key, value)
	}
	root := repository(t)
	write(t, root, map[string]string{
		"images/high/image.yml": "about: a\nfrom: low\ncontents: [{program: {package: ./cmd/hello, to: /bin/hello, version: true}}]\n",
		"images/low/image.yml":  "about: b\ncontents: [{program: {package: ./cmd/hello, to: /bin/low}}]\n",
	})
	git(t, root, "init", "-q")
	git(t, root, "add", "-A")
	git(t, root, "commit", "-q", "-m", "first")
	git(t, root, "tag", "v1.2.3")
	return root
}

// built is what the program of image high says, and the digests of both images.
func built(t *testing.T, root, store string) (info version.Info, high, low v1.Hash) {
	t.Helper()
	b, _ := open(t, root, store)
	if err := b.Build(t.Context(), []string{"high"}, 1); err != nil {
		t.Fatal(err)
	}
	of := func(name string) (v1.Image, v1.Hash) {
		d, err := b.store.entry(name)
		if err != nil {
			t.Fatal(err)
		}
		img, err := b.store.image(d)
		if err != nil {
			t.Fatal(err)
		}
		return img, d.Digest
	}
	img, high := of("high")
	_, low = of("low")
	files := mutate.Extract(img)
	defer files.Close()
	tree, err := ReadTar(files)
	if err != nil {
		t.Fatal(err)
	}
	got, err := buildinfo.Read(bytes.NewReader(tree["bin/hello"].Data))
	if err != nil {
		t.Fatal(err)
	}
	return version.Of(got), high, low
}

// TestVersions builds at a tag, with a change, at a commit behind it, and in another
// clone: who asks for the version gets it, and nobody else is another program for it.
func TestVersions(t *testing.T) {
	root, store := cloneOf(t), filepath.Join(t.TempDir(), "store")
	at, high, low := built(t, root, store)
	if at.Version != "v1.2.3" || at.Changed || len(at.Commit) != 40 {
		t.Errorf("at the tag: %+v", at)
	}
	clone := filepath.Join(t.TempDir(), "clone")
	git(t, root, "clone", "-q", root, clone)
	if _, again, _ := built(t, clone, filepath.Join(t.TempDir(), "store")); again != high {
		t.Error("another clone of the same commit gives another image")
	}
	write(t, root, map[string]string{"beside": "x"})
	changed, _, same := built(t, root, store)
	if changed.Version != "v1.2.3" || !changed.Changed || same != low {
		t.Errorf("with a change: %+v; the image without a version is the same: %v", changed, same == low)
	}
	git(t, root, "add", "-A")
	git(t, root, "commit", "-q", "-m", "second")
	behind, _, same := built(t, root, store)
	if behind.Commit == at.Commit || behind.Changed || behind.Version == "v1.2.3" || same != low {
		t.Errorf("behind the tag: %+v; the image without a version is the same: %v", behind, same == low)
	}
	git(t, root, "tag", "v1.3.0")
	if tagged, _, _ := built(t, root, store); tagged.Version != "v1.3.0" {
		t.Errorf("tagged later: %+v", tagged)
	}
	if err := os.RemoveAll(filepath.Join(root, ".git")); err != nil {
		t.Fatal(err)
	}
	if without, _, _ := built(t, root, store); without.Commit != "" {
		t.Errorf("outside of a clone: %+v", without)
	}
}
