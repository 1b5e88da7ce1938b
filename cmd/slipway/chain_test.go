package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestChain pushes an image of ours, signs what was pushed, and builds here with a lock file;
// then elsewhere, where nothing is but YAML and lock file, from the registry. In the end each
// blob that the registry has is changed by one byte: what is built of it is refused by the name
// of the image, and what is built all the same is what was built before.
func TestChain(t *testing.T) {
	for kind, start := range map[string]func(*testing.T, string) string{"go-containerregistry": goRegistryIn, "Debian": debianRegistryIn} {
		t.Run(kind, func(t *testing.T) {
			data := t.TempDir()
			host := start(t, data)
			storeOf(t, "init")
			t.Chdir(t.TempDir())
			key := newKey(t)
			writePublic(t, "team.pub", key)
			out, said, status := command(t, "", "images", "push", host+"/team")
			if status != 0 {
				t.Fatal(said)
			}
			tagged, digest, _ := strings.Cut(strings.TrimSpace(out), "@")
			repo := strings.TrimSuffix(tagged, ":v0.1")
			text, signature := signed(t, key, payloadOf(repo, digest))
			pushTo(t, repo+":"+sigTag(digest), signatureImage(t, text, signature))

			writeFile(t, "m.yml", "init: [\"slipway/init:v0.1\"]\n")
			build := []string{"build", "-q", "-f", "tar", "--arch", "amd64", "--rename", "slipway=" + host + "/team", "m.yml"}
			slip(t, 0, append(build, "--lock", "--verify", "team.pub")...)
			yml, lock, here := read(t, "m.yml"), read(t, "m.lock"), read(t, "m.tar")
			elsewhere := func() (said string, built bool) {
				t.Helper()
				t.Chdir(t.TempDir())
				t.Setenv("SLIPWAY_STORE", t.TempDir())
				writeFile(t, "m.yml", yml)
				writeFile(t, "m.lock", lock)
				_, said, status := command(t, "", build...)
				there, err := os.ReadFile("m.tar")
				if built = err == nil; built != (status == 0) || built && string(there) != here {
					t.Errorf("status %d, built: %v, and the same: %v\n%s", status, built, string(there) == here, said)
				}
				return said, built
			}
			if said, built := elsewhere(); !built {
				t.Fatal(said)
			}
			refused := 0
			for _, blob := range blobsBelow(t, data) {
				whole := read(t, blob)
				writeFile(t, blob, string(flip([]byte(whole))))
				if said, built := elsewhere(); !built {
					refused++
					if !strings.Contains(said, "slipway/init:v0.1") {
						t.Errorf("one byte of %s: %s", blob, said)
					}
				}
				writeFile(t, blob, whole)
			}
			if refused < 4 { // two layers, the configuration, what was signed
				t.Errorf("one byte was changed in each blob, and %d builds were refused", refused)
			}
			if said, built := elsewhere(); !built {
				t.Error(said)
			}
		})
	}
}

// blobsBelow are the files of a registry that hold what their path names by its digest.
func blobsBelow(t *testing.T, dir string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(file)
		sum := sha256.Sum256(data)
		if strings.Contains(file, hex.EncodeToString(sum[:])) && !bytes.HasPrefix(data, []byte("sha256:")) {
			all = append(all, file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
