package signature

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// What cosign v3.1.3 has made, with keys of each kind that its import-key-pair took, in
// testdata/cosign3: `cosign sign --tlog-upload=false --use-signing-config=false -a
// docker-reference=registry.example/team/app --bundle KIND.bundle`; p256-unnamed.bundle
// without -a.
var bundles = []string{"p256", "p384", "rsa", "ed25519"}

const bundled = "sha256:26091f8138944d4458a9543346bc59458dc2b196d88b72e2e0cd9cd5e7f07b53"

func checkBundle(text string, keys Keys) error {
	return keys.CheckBundle([]byte(text), []string{"sha256:other", bundled}, []string{"elsewhere/app", "registry.example/team/app:7"})
}

// TestCosignBundle takes what cosign has signed, by whichever key of several, and nothing
// that others have.
func TestCosignBundle(t *testing.T) {
	var all Keys
	for _, kind := range bundles {
		all = append(all, vectorKey(t, "cosign3/"+kind))
	}
	for i, kind := range bundles {
		text := vector(t, "cosign3/"+kind+".bundle")
		for _, keys := range []Keys{all[i : i+1], all} {
			if err := checkBundle(text, keys); err != nil {
				t.Errorf("%s by %v: %v", kind, keys, err)
			}
		}
		if err := checkBundle(text, append(all[:i:i], all[i+1:]...)); err == nil || !strings.Contains(err.Error(), "by another key") {
			t.Errorf("%s: by keys that have not signed it: %v", kind, err)
		}
	}
	// Which name it is for does not stand there.
	unnamed := Keys{vectorKey(t, "cosign3/p256")}
	if err := unnamed.CheckBundle([]byte(vector(t, "cosign3/p256-unnamed.bundle")), []string{bundled}, []string{"any/thing"}); err != nil {
		t.Error(err)
	}
}

// TestBundleChanged refuses the vectors with any byte changed, of the file, unless that says
// the same, and of what it encodes.
func TestBundleChanged(t *testing.T) {
	for _, kind := range bundles {
		keys, text := Keys{vectorKey(t, "cosign3/"+kind)}, vector(t, "cosign3/"+kind+".bundle")
		payload, signature := contentsOf(t, text)
		for i := range text {
			changed := []byte(text)
			changed[i] ^= 1
			if err := checkBundle(string(changed), keys); err == nil {
				if p, s := contentsOf(t, string(changed)); !bytes.Equal(p, payload) || !bytes.Equal(s, signature) {
					t.Fatalf("%s: byte %d changed, and taken", kind, i)
				}
			}
		}
		for _, part := range [][]byte{payload, signature} {
			for i := range part {
				part[i] ^= 1
				if err := checkBundle(withContents(t, text, payload, signature), keys); err == nil || !strings.Contains(err.Error(), "another text") {
					t.Fatalf("%s: byte %d of %d changed: %v", kind, i, len(part), err)
				}
				part[i] ^= 1
			}
		}
		if err := checkBundle(withContents(t, text, payload, signature), keys); err != nil {
			t.Fatalf("%s: unchanged: %v", kind, err)
		}
	}
}

func contentsOf(t testing.TB, text string) (payload, signature []byte) {
	t.Helper()
	var b bundle
	if err := json.Unmarshal([]byte(text), &b); err != nil || b.Envelope == nil || len(b.Envelope.Signatures) != 1 {
		t.Fatalf("%s: %v", text, err)
	}
	return b.Envelope.Payload, b.Envelope.Signatures[0].Sig
}

// withContents is the bundle with another envelope.
func withContents(t testing.TB, text string, payload, signature []byte) string {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		t.Fatal(err)
	}
	all["dsseEnvelope"] = map[string]any{"payload": payload, "payloadType": statementPayload, "signatures": []any{map[string]any{"sig": signature}}}
	out, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// TestBundleSays: what is signed and does not vouch is told apart from what is not signed.
func TestBundleSays(t *testing.T) {
	good := vector(t, "cosign3/p256.bundle")
	keys := Keys{vectorKey(t, "cosign3/p256")}
	change := func(from, to string) string {
		if !strings.Contains(good, from) {
			t.Fatalf("no %q", from)
		}
		return strings.Replace(good, from, to, 1)
	}
	for want, text := range map[string]string{
		"a sigstore bundle cannot be read":          good[:len(good)/2],
		`a sigstore bundle is of type "text"`:       change(Bundle+".v0.3+json", "text"),
		"signed by a certificate":                   change(`"publicKey"`, `"certificate"`),
		"has no DSSE envelope":                      change(`"dsseEnvelope"`, `"messageSignature"`),
		`signs is of type "text"`:                   change(statementPayload, "text"),
		"has 0 signatures":                          change(`"signatures"`, `"others"`),
		"by another key, or of another text":        change(`"payload":"`, `"payload":"AAAA`),
		"a sigstore bundle cannot be read: illegal": change(`"payload":"`, `"payload":"%`),
	} {
		if err := checkBundle(text, keys); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	for want, try := range map[string]func() error{
		"of another image, \"" + bundled: func() error {
			return keys.CheckBundle([]byte(good), []string{"sha256:other"}, []string{"registry.example/team/app"})
		},
		`for the name "registry.example/team/app"`: func() error {
			return keys.CheckBundle([]byte(good), []string{bundled}, []string{"registry.example/team/app2", "%"})
		},
		"by another key": func() error { return checkBundle(good, nil) },
	} {
		if err := try(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestStatement: statements of other kinds by the same key are no signatures of an image.
func TestStatement(t *testing.T) {
	const right = `{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha512":"b"}},{"digest":{"sha256":"a"}}],"predicateType":"https://sigstore.dev/cosign/sign/v1","predicate":{}}`
	for text, want := range map[string]string{
		right: "",
		strings.Replace(right, "Statement/v1", "Statement/v2", 1):                            "is of type",
		strings.Replace(right, "cosign/sign", "other", 1):                                    "no signature of an image",
		strings.Replace(right, `"sha256":"a"`, `"sha256":"b"`, 1):                            `of another image, "sha256:, sha256:b"`,
		strings.Replace(right, `{"sha256":"a"}`, `{"sha512":"a"}`, 1):                        "of another image",
		strings.Replace(right, `"a"}`, `"a"},"annotations":{"docker-reference":"x/y:1"}`, 1): "",
		strings.Replace(right, `"a"}`, `"a"},"annotations":{"docker-reference":"x/z"}`, 1):   `for the name "x/z"`,
		strings.Replace(right, `"a"}`, `"a"},"annotations":{"docker-reference":7}`, 1):       `for the name "7"`,
		strings.Replace(right, `"a"}`, `"a"},"annotations":{"docker-reference":""}`, 1):      `a signature is for ""`,
		right[1:]: "cannot be read",
		`null`:    "is of type",
	} {
		if err := vouches([]byte(text), []string{"sha256:a"}, []string{"x/y"}); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}

// FuzzBundle takes nothing but the statement that was signed.
func FuzzBundle(f *testing.F) {
	genuine := map[string]bool{}
	var keys Keys
	for _, kind := range bundles {
		keys = append(keys, vectorKey(f, "cosign3/"+kind))
		text := vector(f, "cosign3/"+kind+".bundle")
		payload, _ := contentsOf(f, text)
		genuine[string(payload)] = true
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := checkBundle(string(text), keys); err != nil {
			return
		}
		if payload, _ := contentsOf(t, string(text)); !genuine[string(payload)] {
			t.Errorf("taken: %q", payload)
		}
	})
}
