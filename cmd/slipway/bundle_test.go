package main

import (
	"crypto"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"slipway/pkg/build/oci"
)

const bundleType = "application/vnd.dev.sigstore.bundle.v0.3+json"

// bundleOf is what cosign 3 writes for a digest; annotations are those of -a, as JSON.
func bundleOf(t *testing.T, key crypto.Signer, digest, annotations string) string {
	t.Helper()
	_, hex, _ := strings.Cut(digest, ":")
	statement := fmt.Sprintf(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":%q},"annotations":%s}],"predicateType":"https://sigstore.dev/cosign/sign/v1","predicate":{}}`, hex, annotations)
	const kind = "application/vnd.in-toto+json"
	_, signature := signed(t, key, fmt.Sprintf("DSSEv1 %d %s %d %s", len(kind), kind, len(statement), statement))
	return fmt.Sprintf(`{"mediaType":%q,"verificationMaterial":{"publicKey":{"hint":"AA=="}},"dsseEnvelope":{"payload":%q,"payloadType":%q,"signatures":[{"sig":%q}]}}`,
		bundleType, base64.StdEncoding.EncodeToString([]byte(statement)), kind, signature)
}

// bundleImage is how cosign 3 stores it: it refers to the image.
func bundleImage(t *testing.T, bundle string, of v1.Image) v1.Image {
	t.Helper()
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), bundleType)
	img, err := mutate.AppendLayers(img, static.NewLayer([]byte(bundle), bundleType))
	if err != nil {
		t.Fatal(err)
	}
	subject := v1.Descriptor{MediaType: must(of.MediaType()), Digest: must(of.Digest()), Size: must(of.Size())}
	return mutate.Subject(img, subject).(v1.Image)
}

// TestVerifyBundle finds what refers to an image in a registry that lists such things and in
// one that does not, keeps it, and has what is wrong refused by name of image and key.
func TestVerifyBundle(t *testing.T) {
	key, other := newKey(t), newKey(t)
	t.Chdir(t.TempDir())
	writePublic(t, "team.pub", key)
	writePublic(t, "other.pub", other)
	app, old := fileImage(t, "app"), fileImage(t, "old")
	digest := digestOf(t, app)
	for kind, start := range map[string]func(*testing.T) string{"referrers": referrersRegistry, "Debian": debianRegistry} {
		host := start(t)
		for n, c := range []struct {
			what    string
			bundles func(repo string) []string
			want    string // "" for a build
		}{
			{"right", func(string) []string { return []string{bundleOf(t, key, digest, "{}")} }, ""},
			{"with its name", func(r string) []string {
				return []string{bundleOf(t, key, digest, `{"docker-reference":"`+r+`"}`)}
			}, ""},
			{"two", func(string) []string {
				return []string{bundleOf(t, other, digest, "{}"), bundleOf(t, key, digest, "{}")}
			}, ""},
			{"none", func(string) []string { return nil }, "there is none"},
			{"wrong key", func(string) []string { return []string{bundleOf(t, other, digest, "{}")} }, "by another key"},
			{"replayed", func(string) []string { return []string{bundleOf(t, key, digestOf(t, old), "{}")} }, "of another image"},
			{"other name", func(r string) []string {
				return []string{bundleOf(t, key, digest, `{"docker-reference":"`+r+`-tools"}`)}
			}, "for the name"},
			{"changed", func(string) []string {
				return []string{strings.Replace(bundleOf(t, key, digest, "{}"), `"payload":"ey`, `"payload":"eX`, 1)}
			}, "another text"},
		} {
			repo := fmt.Sprintf("%s/team%d/app", host, n)
			pushTo(t, repo+":1", app)
			for i, bundle := range c.bundles(repo) {
				pushTo(t, fmt.Sprintf("%s:b%d", repo, i), bundleImage(t, bundle, app))
			}
			buildVerified(t, kind+": "+c.what, repo, c.want)
		}
	}
}

func referrersRegistry(t *testing.T) string {
	s := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(true)))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// TestVerifyBundleKeptByKey: where two keys have to have signed, what each has signed is kept.
func TestVerifyBundleKeptByKey(t *testing.T) {
	host := referrersRegistry(t)
	t.Chdir(t.TempDir())
	t.Setenv("SLIPWAY_STORE", t.TempDir())
	app := fileImage(t, "app")
	repo := host + "/team/app"
	pushTo(t, repo+":1", app)
	for _, name := range []string{"one", "two"} {
		key := newKey(t)
		writePublic(t, name+".pub", key)
		pushTo(t, repo+":"+name, bundleImage(t, bundleOf(t, key, digestOf(t, app), "{}"), app))
	}
	writeFile(t, "m.yml", "init: [\""+repo+":1\"]\n")
	args := []string{"build", "-q", "-f", "tar", "--arch", "amd64", "m.yml"}
	slip(t, 0, append(args, "--lock", "--verify", "one.pub")...)
	slip(t, 0, append(args, "--verify", "two.pub")...)
	slip(t, 0, append(args, "--verify", "two.pub", "--offline")...)
}

// TestVerifyBundleLayout finds bundles in a layout, by what they are listed as, and refuses
// one with a byte changed.
func TestVerifyBundleLayout(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("SLIPWAY_STORE", t.TempDir())
	key, app := newKey(t), fileImage(t, "app")
	writePublic(t, "team.pub", key)
	writeFile(t, "m.yml", "init: [\"registry.example/team/app:1\"]\n")
	bundle := bundleOf(t, key, digestOf(t, app), "{}")
	img := bundleImage(t, bundle, app)
	// Those of other images before it are no reason to stop.
	index := v1.ImageIndex(empty.Index)
	for i := range 70 {
		other := fileImage(t, fmt.Sprintf("other%d", i))
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: bundleImage(t, bundleOf(t, key, digestOf(t, other), "{}"), other), Descriptor: v1.Descriptor{ArtifactType: bundleType}})
	}
	index = mutate.AppendManifests(index,
		mutate.IndexAddendum{Add: app, Descriptor: v1.Descriptor{Annotations: map[string]string{oci.NameAnnotation: "registry.example/team/app:1"}}},
		mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{ArtifactType: bundleType}})
	if _, err := layout.Write("l", index); err != nil {
		t.Fatal(err)
	}
	args := []string{"build", "-q", "-f", "tar", "--arch", "amd64", "--offline", "--oci", "l", "--verify", "team.pub", "m.yml"}
	slip(t, 0, args...)
	_ = os.Remove("m.tar")
	blob := filepath.Join("l/blobs/sha256", must(must(img.Layers())[0].Digest()).Hex)
	writeFile(t, blob, string(flip([]byte(bundle))))
	if said := slip(t, 1, args...); !strings.Contains(said, "registry.example/team/app:1") || !strings.Contains(said, "team.pub") {
		t.Error(said)
	}
	if _, err := os.Stat("m.tar"); err == nil {
		t.Error("built")
	}
}
