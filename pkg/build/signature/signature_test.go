package signature

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What cosign v2.5.3 has made, with keys of each kind: its generate-key-pair and
// import-key-pair wrote KIND.pub; `cosign sign --tlog-upload=false -a team=core` with
// --sign-container-identity registry.example/team/app put payload.json, the same for all,
// and KIND.sig (the layer's annotation) into a registry.
var kinds = []string{"p256", "p384", "rsa", "ed25519"}

const signed = "sha256:1dda350f65db786a6d323de972c9d4f00ceb138262a01a9a666e9d8408505a1a"

func vector(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func vectorKey(t testing.TB, kind string) Key {
	t.Helper()
	key, err := ReadKey(filepath.Join("testdata", kind+".pub"))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestCosign takes what cosign has signed, by whichever name of the repository, and as
// one key of several.
func TestCosign(t *testing.T) {
	text := []byte(vector(t, "payload.json"))
	var all Keys
	for _, kind := range kinds {
		all = append(all, vectorKey(t, kind))
	}
	for i, kind := range kinds {
		signature := vector(t, kind+".sig")
		for _, name := range []string{"registry.example/team/app", "registry.example/team/app:7", "registry.example/team/app@" + signed} {
			for _, keys := range []Keys{all[i : i+1], all} {
				if err := keys.Check(text, signature, []string{"sha256:other", signed}, []string{"elsewhere/app", name}); err != nil {
					t.Errorf("%s, %s by %v: %v", kind, name, keys, err)
				}
			}
		}
		if err := append(all[:i:i], all[i+1:]...).Check(text, signature, []string{signed}, []string{"registry.example/team/app"}); err == nil {
			t.Errorf("%s: taken by keys that have not signed it", kind)
		}
	}
}

// TestChanged refuses the vectors with each byte of the text and of the signature
// changed, and says why what is whole does not vouch.
func TestChanged(t *testing.T) {
	text, names := []byte(vector(t, "payload.json")), []string{"registry.example/team/app"}
	for _, kind := range kinds {
		keys, signature := Keys{vectorKey(t, kind)}, vector(t, kind+".sig")
		for i := range text {
			changed := bytes.Clone(text)
			changed[i] ^= 1
			if err := keys.Check(changed, signature, []string{signed}, names); err == nil || !strings.Contains(err.Error(), "another text") {
				t.Fatalf("%s: byte %d of the text: %v", kind, i, err)
			}
		}
		raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(signature))
		if err != nil {
			t.Fatal(err)
		}
		for i := range raw {
			raw[i] ^= 1
			if err := keys.Check(text, base64.StdEncoding.EncodeToString(raw), []string{signed}, names); err == nil {
				t.Fatalf("%s: byte %d of the signature changed, and taken", kind, i)
			}
			raw[i] ^= 1
		}
		for want, try := range map[string]func() error{
			"by another key, or of another text": func() error { return keys.Check(text, "", []string{signed}, names) },
			"a signature is no base64":           func() error { return keys.Check(text, "%", []string{signed}, names) },
			"a signature is of another image":    func() error { return keys.Check(text, signature, []string{"sha256:other"}, names) },
			`a signature is for the name "registry.example/team/app"`: func() error {
				return keys.Check(text, signature, []string{signed}, []string{"registry.example/team/app2", "registry.example/team", "team/app", "", "%"})
			},
		} {
			if err := try(); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want %q", kind, err, want)
			}
		}
		if err := (Keys{}).Check(text, signature, []string{signed}, names); err == nil {
			t.Error("taken without a key")
		}
	}
}

// TestKeys tells what is no public key that counts.
func TestKeys(t *testing.T) {
	block := func(kind string, der []byte, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	public := func(key any) string {
		der, err := x509.MarshalPKIXPublicKey(key)
		return block("PUBLIC KEY", der, err)
	}
	x25519, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GODEBUG", "rsa1024min=0")
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	good := vector(t, "p256.pub")
	for text, want := range map[string]string{
		"":                                   "want one public key in PEM",
		"ssh-ed25519 AAAA":                   "want one public key in PEM",
		good + good:                          "want one public key in PEM",
		good + "x":                           "want one public key in PEM",
		block("PRIVATE KEY", []byte{1}, nil): "is a PRIVATE KEY, and a PUBLIC KEY is wanted",
		block("CERTIFICATE", []byte{1}, nil): "is a CERTIFICATE",
		block("PUBLIC KEY", []byte{1}, nil):  "asn1",
		public(&short.PublicKey):             "RSA of 1024 bits: want 2048 at least",
		public(x25519.PublicKey()):           "want ECDSA, RSA or ed25519",
	} {
		if _, err := ParseKey(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.30q: got %v, want %q", text, err, want)
		}
	}
	file := filepath.Join(t.TempDir(), "k.pub")
	if err := os.WriteFile(file, []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadKey(file); err == nil || !strings.Contains(err.Error(), "read key "+file) {
		t.Errorf("got %v", err)
	}
	// As of <(command), where the text is bounded too.
	for text, want := range map[string]string{good: "", strings.Repeat("x", maxKey+1): "more than the 65536 bytes"} {
		if err := readPiped(t, text); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%.30q of a pipe: got %v, want %q", text, err, want)
		}
	}
	for _, name := range []string{"/dev/zero", t.TempDir(), file + "x"} {
		if _, err := ReadKey(name); err == nil || !strings.Contains(err.Error(), "read key: ") || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// readPiped has a key's text come by a pipe.
func readPiped(t *testing.T, text string) error {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	go func() {
		_, _ = w.WriteString(text)
		w.Close()
	}()
	_, err = ReadKey(fmt.Sprintf("/dev/fd/%d", r.Fd()))
	return err
}

// FuzzCheck takes nothing but the text that was signed.
func FuzzCheck(f *testing.F) {
	genuine := vector(f, "payload.json")
	var keys Keys
	for _, kind := range kinds {
		keys = append(keys, vectorKey(f, kind))
		f.Add([]byte(genuine), vector(f, kind+".sig"))
	}
	f.Fuzz(func(t *testing.T, text []byte, signature string) {
		if err := keys.Check(text, signature, []string{signed}, []string{"registry.example/team/app"}); err == nil && string(text) != genuine {
			t.Errorf("taken: %q by %q", text, signature)
		}
	})
}

// FuzzParseKey reads a key that it takes as the same once more, from what it keeps of it
// in a lock file.
func FuzzParseKey(f *testing.F) {
	for _, kind := range kinds {
		f.Add(vector(f, kind+".pub"))
	}
	f.Fuzz(func(t *testing.T, text string) {
		key, err := ParseKey(text)
		if err != nil {
			return
		}
		if again, err := ParseKey(key.PEM); err != nil || again.Name != key.Name || again.PEM != key.PEM {
			t.Errorf("%q: %v, %v", text, again.Name, err)
		}
	})
}
