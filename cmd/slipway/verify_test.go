package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"slipway/pkg/build/oci"
)

func newKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// writePublic writes the public half as cosign does.
func writePublic(t *testing.T, file string, key crypto.Signer) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, file, string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})))
	return file
}

// payloadOf is what cosign signs.
func payloadOf(reference, digest string) string {
	return fmt.Sprintf(`{"critical":{"identity":{"docker-reference":%q},"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"},"optional":null}`, reference, digest)
}

// signed is a text with its signature, as cosign writes both.
func signed(t *testing.T, key crypto.Signer, payload string) (text []byte, signature string) {
	t.Helper()
	message, hash := []byte(payload), crypto.Hash(0)
	if _, is := key.(ed25519.PrivateKey); !is {
		sum := sha256.Sum256(message)
		message, hash = sum[:], crypto.SHA256
	}
	raw, err := key.Sign(rand.Reader, message, hash)
	if err != nil {
		t.Fatal(err)
	}
	return []byte(payload), base64.StdEncoding.EncodeToString(raw)
}

// signatureImage is what cosign pushes.
func signatureImage(t *testing.T, text []byte, signature string) v1.Image {
	t.Helper()
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	img, err := mutate.Append(img, mutate.Addendum{
		Layer:       static.NewLayer(text, "application/vnd.dev.cosign.simplesigning.v1+json"),
		Annotations: map[string]string{"dev.cosignproject.cosign/signature": signature},
	})
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func sigTag(digest string) string { return strings.Replace(digest, ":", "-", 1) + ".sig" }

func flip(data []byte) []byte {
	data = bytes.Clone(data)
	data[len(data)/2] ^= 1
	return data
}

// buildVerified builds an image of what was pushed, with the key team.pub: it is built, and
// again from what was kept, or refused by the names of image and key for what is wanted.
func buildVerified(t *testing.T, what, repo, want string, flags ...string) {
	t.Helper()
	t.Setenv("SLIPWAY_STORE", t.TempDir())
	writeFile(t, "m.yml", "init: [\""+repo+":1\"]\n")
	args := slices.Concat([]string{"build", "-q", "-f", "tar", "--arch", "amd64", "--verify", "team.pub"}, flags, []string{"m.yml"})
	_, errOut, status := command(t, "", args...)
	err := os.Remove("m.tar")
	if built := err == nil; built != (want == "") || built != (status == 0) {
		t.Errorf("%s: status %d, built: %v\n%s", what, status, built, errOut)
	}
	if want == "" {
		slip(t, 0, append(args, "--offline")...)
		if err := os.Remove("m.tar"); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		return
	}
	if !strings.Contains(errOut, repo+":1") || !strings.Contains(errOut, "team.pub") || !strings.Contains(errOut, want) {
		t.Errorf("%s: want %q:\n%s", what, want, errOut)
	}
}

// TestVerify signs with a key of its own, pushes, and has what is wrong with each
// signature refused by name of image and key, with nothing built.
func TestVerify(t *testing.T) {
	key, other := newKey(t), newKey(t)
	t.Chdir(t.TempDir())
	writePublic(t, "team.pub", key)
	writePublic(t, "other.pub", other)
	app, old := fileImage(t, "app"), fileImage(t, "old")
	digest, oldDigest := digestOf(t, app), digestOf(t, old)
	for kind, start := range map[string]func(*testing.T) string{"go-containerregistry": goRegistry, "Debian": debianRegistry} {
		host := start(t)
		for n, c := range []struct {
			what      string
			signature func(repo string) (text []byte, signature string)
			flags     []string
			want      string // "" for a build
		}{
			{"right", func(r string) ([]byte, string) { return signed(t, key, payloadOf(r, digest)) }, nil, ""},
			{"right, name with a tag", func(r string) ([]byte, string) { return signed(t, key, payloadOf(r+":7", digest)) }, nil, ""},
			{"one of two keys", func(r string) ([]byte, string) { return signed(t, key, payloadOf(r, digest)) }, []string{"--verify", "other.pub"}, ""},
			{"none", nil, nil, "there is none"},
			{"wrong key", func(r string) ([]byte, string) { return signed(t, other, payloadOf(r, digest)) }, nil, "by another key"},
			{"signature changed", func(r string) ([]byte, string) {
				text, s := signed(t, key, payloadOf(r, digest))
				raw, _ := base64.StdEncoding.DecodeString(s)
				return text, base64.StdEncoding.EncodeToString(flip(raw))
			}, nil, "by another key"},
			{"text changed", func(r string) ([]byte, string) {
				text, s := signed(t, key, payloadOf(r, digest))
				return flip(text), s
			}, nil, "by another key, or of another text"},
			{"replayed", func(r string) ([]byte, string) { return signed(t, key, payloadOf(r, oldDigest)) }, nil, "of another image, \"" + oldDigest},
			{"other name", func(r string) ([]byte, string) { return signed(t, key, payloadOf(r+"-tools", digest)) }, nil, "for the name"},
			{"no name", func(string) ([]byte, string) { return signed(t, key, payloadOf("", digest)) }, nil, "could not parse reference"},
			{"another type", func(r string) ([]byte, string) {
				return signed(t, key, strings.Replace(payloadOf(r, digest), "cosign container", "other", 1))
			}, nil, "is of type"},
			{"no JSON", func(string) ([]byte, string) { return signed(t, key, "app") }, nil, "not cosign's"},
			{"no base64", func(r string) ([]byte, string) { return []byte(payloadOf(r, digest)), "%" }, nil, "no base64"},
		} {
			repo := fmt.Sprintf("%s/team%d/app", host, n)
			pushTo(t, repo+":1", app)
			if c.signature != nil {
				text, signature := c.signature(repo)
				pushTo(t, repo+":"+sigTag(digest), signatureImage(t, text, signature))
			}
			buildVerified(t, kind+": "+c.what, repo, c.want, c.flags...)
		}
	}
}

// TestVerifyByReferrer finds a signature that refers to the image (OCI 1.1).
func TestVerifyByReferrer(t *testing.T) {
	s := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(true)))
	defer s.Close()
	t.Chdir(t.TempDir())
	repo := strings.TrimPrefix(s.URL, "http://") + "/team/app"
	key, app := newKey(t), fileImage(t, "app")
	writePublic(t, "team.pub", key)
	pushTo(t, repo+":1", app)
	text, signature := signed(t, key, payloadOf(repo, digestOf(t, app)))
	subject := v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: must(app.Digest()), Size: must(app.Size())}
	sig := mutate.ConfigMediaType(signatureImage(t, text, signature), "application/vnd.dev.cosign.artifact.sig.v1+json")
	pushTo(t, repo+":elsewhere", mutate.Subject(sig, subject).(v1.Image))
	t.Setenv("SLIPWAY_STORE", t.TempDir())
	writeFile(t, "m.yml", "init: [\""+repo+":1\"]\n")
	slip(t, 0, "build", "-q", "-f", "tar", "--arch", "amd64", "--verify", "team.pub", "m.yml")
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestVerifyLayout finds signatures in an OCI layout, as `cosign save` marks them and as
// tags, and none where a byte of them was changed; with keys of each kind.
func TestVerifyLayout(t *testing.T) {
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	app := fileImage(t, "app")
	digest := digestOf(t, app)
	writeFile(t, "m.yml", "init: [\"registry.example/team/app:1\"]\n")
	t.Setenv("SLIPWAY_STORE", t.TempDir())
	for what, key := range map[string]crypto.Signer{"ecdsa": newKey(t), "ed25519": edKey, "rsa": rsaKey} {
		text, signature := signed(t, key, payloadOf("registry.example/team/app", digest))
		sig := signatureImage(t, text, signature)
		for form, annotations := range map[string]map[string]string{
			"tag": {oci.NameAnnotation: "registry.example/team/app:" + sigTag(digest)}, "kind": {"kind": "dev.cosignproject.cosign/sigs"},
		} {
			dir := what + "-" + form
			index := mutate.AppendManifests(empty.Index,
				mutate.IndexAddendum{Add: app, Descriptor: v1.Descriptor{Annotations: map[string]string{oci.NameAnnotation: "registry.example/team/app:1"}}},
				mutate.IndexAddendum{Add: sig, Descriptor: v1.Descriptor{Annotations: annotations}})
			if _, err := layout.Write(dir, index); err != nil {
				t.Fatal(err)
			}
			writePublic(t, dir+".pub", key)
			args := []string{"build", "-q", "-f", "tar", "--arch", "amd64", "--offline", "--oci", dir, "--verify", dir + ".pub", "m.yml"}
			slip(t, 0, args...)
			_ = os.Remove("m.tar")
			blob := filepath.Join(dir, "blobs", "sha256", must(must(sig.Layers())[0].Digest()).Hex)
			writeFile(t, blob, string(flip(text)))
			if said := slip(t, 1, args...); !strings.Contains(said, "registry.example/team/app:1") || !strings.Contains(said, dir+".pub") || !strings.Contains(said, "its content has") {
				t.Errorf("%s, damaged: %s", dir, said)
			}
			writeFile(t, blob, string(text))
			layer := must(must(app.Layers())[0].Digest()).Hex
			data := must(os.ReadFile(filepath.Join(dir, "blobs", "sha256", layer)))
			writeFile(t, filepath.Join(dir, "blobs", "sha256", layer), string(flip(data)))
			if said := slip(t, 1, args...); !strings.Contains(said, "registry.example/team/app:1") || !strings.Contains(said, layer[:12]) {
				t.Errorf("%s, image damaged: %s", dir, said)
			}
			if _, err := os.Stat("m.tar"); err == nil {
				t.Errorf("%s: built", dir)
			}
		}
	}
}

// TestVerifyIndex takes a signature of the index that an image is in, and no other image
// than the signed one where the registry changes the tag between two questions.
func TestVerifyIndex(t *testing.T) {
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	var swap atomic.Pointer[func()]
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner.ServeHTTP(w, r)
		if strings.HasSuffix(r.URL.Path, "/manifests/1") && r.Method == http.MethodGet {
			if f := swap.Swap(nil); f != nil {
				(*f)()
			}
		}
	}))
	defer s.Close()
	t.Chdir(t.TempDir())
	repo := strings.TrimPrefix(s.URL, "http://") + "/team/app"
	key := newKey(t)
	writePublic(t, "team.pub", key)
	index := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), mutate.IndexAddendum{
		Add: fileImage(t, "signed"), Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}}})
	if err := remote.WriteIndex(must(name.NewTag(repo+":1")), index); err != nil {
		t.Fatal(err)
	}
	text, signature := signed(t, key, payloadOf(repo, digestOf(t, index)))
	pushTo(t, repo+":"+sigTag(digestOf(t, index)), signatureImage(t, text, signature))
	put := func() { pushTo(t, repo+":1", fileImage(t, "impostor")) }
	swap.Store(&put)
	t.Setenv("SLIPWAY_STORE", t.TempDir())
	writeFile(t, "m.yml", "init: [\""+repo+":1\"]\n")
	args := []string{"build", "-q", "-f", "tar", "--arch", "amd64", "--verify", "team.pub", "m.yml"}
	slip(t, 0, args...)
	if data, err := os.ReadFile("m.tar"); err != nil || !bytes.Contains(data, []byte("signed")) || bytes.Contains(data, []byte("impostor")) {
		t.Errorf("built of another image: %v", err)
	}
	if swap.Load() != nil {
		t.Fatal("nothing was swapped")
	}
	if said := slip(t, 1, append(args, "--pull")...); !strings.Contains(said, "there is none") {
		t.Errorf("the impostor, pulled: %s", said)
	}
}

// TestVerifyLock writes keys to the lock file, by which later builds go with no flag.
func TestVerifyLock(t *testing.T) {
	host := goRegistry(t)
	t.Chdir(t.TempDir())
	t.Setenv("SLIPWAY_STORE", t.TempDir())
	key := newKey(t)
	writePublic(t, "team.pub", key)
	writePublic(t, "other.pub", newKey(t))
	repo := host + "/team/app"
	put := func(text string, sign bool) {
		img := fileImage(t, text)
		pushTo(t, repo+":1", img)
		if sign {
			text, signature := signed(t, key, payloadOf(repo, digestOf(t, img)))
			pushTo(t, repo+":"+sigTag(digestOf(t, img)), signatureImage(t, text, signature))
		}
	}
	put("one", true)
	writeFile(t, "m.yml", "init: [\""+repo+":1\"]\n")
	args := []string{"build", "-q", "-f", "tar", "--arch", "amd64", "m.yml"}
	slip(t, 0, append(args, "--lock", "--verify", "team.pub")...)
	text, err := os.ReadFile("m.lock")
	if err != nil || !strings.Contains(string(text), "verify:\n  - |\n    -----BEGIN PUBLIC KEY-----\n") {
		t.Fatalf("lock file: %v\n%s", err, text)
	}
	slip(t, 0, args...)
	// Neither the flag nor the file makes the other's demand less.
	if said := slip(t, 1, append(args, "--verify", "other.pub")...); !strings.Contains(said, "other.pub") {
		t.Error(said)
	}
	put("two", false)
	if said := slip(t, 1, "images", "update", "--arch", "amd64", "m.yml"); !strings.Contains(said, "has no signature by key ") {
		t.Error(said)
	}
	if after, err := os.ReadFile("m.lock"); err != nil || !bytes.Equal(text, after) {
		t.Errorf("the lock file has changed: %v\n%s", err, after)
	}
	put("three", true)
	slip(t, 0, "images", "update", "--arch", "amd64", "m.yml")
	slip(t, 0, "validate", "--errors-only", "--arch", "amd64", "m.yml")
	writeFile(t, "m.lock", strings.Replace(string(text), "BEGIN PUBLIC KEY", "BEGIN PRIVATE KEY", 1))
	if said := slip(t, 1, args...); !strings.Contains(said, "m.lock") || !strings.Contains(said, "verify[0]") {
		t.Error(said)
	}
}

// TestVerifyKeys: what is no key is told before anything is looked for.
func TestVerifyKeys(t *testing.T) {
	t.Chdir(t.TempDir())
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	writePublic(t, "weak.pub", weak)
	whole, err := os.ReadFile(writePublic(t, "whole.pub", newKey(t)))
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, "two.pub", string(whole)+string(whole))
	writeFile(t, "cut.pub", string(whole[:len(whole)/2]))
	writeFile(t, "private.pub", strings.ReplaceAll(string(whole), "PUBLIC", "PRIVATE"))
	for file, want := range map[string]string{
		"weak.pub": "RSA of 1024 bits", "two.pub": "want one public key", "cut.pub": "want one public key",
		"private.pub": "is a PRIVATE KEY", "none.pub": "no such file",
	} {
		if said := slip(t, 2, "build", "--verify", file, "-"); !strings.Contains(said, file) || !strings.Contains(said, want) {
			t.Errorf("%s: %s", file, said)
		}
	}
}
