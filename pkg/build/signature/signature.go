// Package signature checks cosign's signatures of images by a key, without the network and
// without any authority but that key.
//
// What is signed is a small JSON text that names the image's digest and the repository it
// was signed in: "simple signing", github.com/containers/image,
// docs/containers-signature.5.md, as cosign writes it (specs/SIGNATURE_SPEC.md there); or,
// as cosign 3 does it of itself, a statement of the digest in a bundle (bundle.go).
package signature

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"slipway/pkg/build/input"

	"github.com/google/go-containerregistry/pkg/name"
)

// A Key is public: whoever has its other half can sign.
type Key struct {
	Name   string // of its file, for messages
	PEM    string
	public crypto.PublicKey
}

// Keys are those of which one is enough.
type Keys []Key

func (k Keys) String() string {
	var names []string
	for _, key := range k {
		names = append(names, key.Name)
	}
	return strings.Join(names, " or ")
}

// maxKey bounds a key's file, in bytes: an RSA key of 16384 bits has 2,900.
const maxKey = 64 << 10

// ReadKey reads the PEM file that cosign generate-key-pair calls cosign.pub, or what
// cosign public-key prints, from the pipe of a shell's <(command).
func ReadKey(file string) (Key, error) {
	data, err := input.ReadStream(file, maxKey)
	if err != nil {
		return Key{}, fmt.Errorf("read key: %w", err)
	}
	key, err := ParseKey(string(data))
	if err != nil {
		return Key{}, fmt.Errorf("read key %s: %w", file, err)
	}
	key.Name = file
	return key, nil
}

// minRSA is the shortest RSA key that is taken, in bits.
const minRSA = 2048

// ParseKey reads one public key in PEM (PKIX): ECDSA, RSA of 2048 bits or more, ed25519. It
// is called by the beginning of its sum.
func ParseKey(text string) (Key, error) {
	block, rest := pem.Decode([]byte(text))
	switch {
	case block == nil || strings.TrimSpace(string(rest)) != "":
		return Key{}, errors.New("want one public key in PEM")
	case block.Type != "PUBLIC KEY":
		return Key{}, fmt.Errorf("is a %s, and a PUBLIC KEY is wanted", block.Type)
	}
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return Key{}, fmt.Errorf("what its PEM holds: %w", err)
	}
	switch p := public.(type) {
	case *ecdsa.PublicKey, ed25519.PublicKey:
	case *rsa.PublicKey:
		if p.N.BitLen() < minRSA {
			return Key{}, fmt.Errorf("RSA of %d bits: want %d at least", p.N.BitLen(), minRSA)
		}
	default:
		return Key{}, fmt.Errorf("%T: want ECDSA, RSA or ed25519", public)
	}
	return Key{Name: fmt.Sprintf("key %.12x", sha256.Sum256(block.Bytes)), PEM: string(pem.EncodeToMemory(block)), public: public}, nil
}

// fits tells whether the signature of a text is by the key. Of ECDSA and RSA that is of
// the text's SHA-256, as cosign has it for each curve.
func (k Key) fits(payload, signature []byte) bool {
	sum := sha256.Sum256(payload)
	switch p := k.public.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(p, sum[:], signature)
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(p, crypto.SHA256, sum[:], signature) == nil
	case ed25519.PublicKey:
		return ed25519.Verify(p, payload, signature)
	}
	return false
}

// payloadType is what a payload says that it is.
const payloadType = "cosign container image signature"

type payload struct {
	Critical struct {
		Identity struct {
			Reference string `json:"docker-reference"`
		} `json:"identity"`
		Image struct {
			Digest string `json:"docker-manifest-digest"`
		} `json:"image"`
		Type string `json:"type"`
	} `json:"critical"`
}

// Check tells why a signature (base64) does not vouch for an image; nil if it does. One of
// the keys has to have signed the text, and the text has to name one of the image's digests,
// and the repository of one of its names: else whoever may write to a registry could give
// another image by the same signer for it.
func (k Keys) Check(text []byte, signature string, digests, names []string) error {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(signature))
	if err != nil {
		return fmt.Errorf("a signature is no base64: %w", err)
	}
	if !slices.ContainsFunc(k, func(key Key) bool { return key.fits(text, raw) }) {
		return errOther
	}
	var p payload
	if err := json.Unmarshal(text, &p); err != nil {
		return fmt.Errorf("a signed text is not cosign's: %w", err)
	}
	c := p.Critical
	switch {
	case c.Type != payloadType:
		return fmt.Errorf("a signed text is of type %q, and not %q", c.Type, payloadType)
	case !slices.Contains(digests, c.Image.Digest):
		return fmt.Errorf("a signature is of another image, %q", c.Image.Digest)
	}
	return isFor(c.Identity.Reference, names)
}

var errOther = errors.New("a signature is by another key, or of another text")

// isFor tells why a name that was signed is the repository of none of an image's names.
func isFor(reference string, names []string) error {
	signed, err := repository(reference)
	if err != nil {
		return fmt.Errorf("a signature is for %q: %w", reference, err)
	}
	for _, n := range names {
		if repo, err := repository(n); err == nil && repo == signed {
			return nil
		}
	}
	return fmt.Errorf("a signature is for the name %q", reference)
}

// repository is the full name without tag and digest.
func repository(text string) (string, error) {
	ref, err := name.ParseReference(text)
	if err != nil {
		return "", err
	}
	return ref.Context().Name(), nil
}
