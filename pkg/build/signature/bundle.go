package signature

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha512"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Bundle is how the media type of sigstore's bundles begins, of whichever version: what
// cosign 3 writes, github.com/sigstore/protobuf-specs, sigstore_bundle.proto, as JSON.
const Bundle = "application/vnd.dev.sigstore.bundle"

// What stands in a bundle of cosign's for an image: an envelope (DSSE,
// github.com/secure-systems-lab/dsse) with a statement (in-toto,
// github.com/in-toto/attestation) that its subject was signed.
const (
	statementPayload = "application/vnd.in-toto+json"
	statementType    = "https://in-toto.io/Statement/v1"
	// SignPredicate is the kind of a statement that says nothing but that the subject was
	// signed.
	SignPredicate = "https://sigstore.dev/cosign/sign/v1"
	// nameAnnotation of a subject is the name it is signed for, which is ours to ask for:
	// cosign sign -a writes it.
	nameAnnotation = "docker-reference"
)

type bundle struct {
	MediaType string `json:"mediaType"`
	Material  struct {
		PublicKey *struct{} `json:"publicKey"`
	} `json:"verificationMaterial"`
	Envelope *struct {
		Payload     []byte `json:"payload"`
		PayloadType string `json:"payloadType"`
		Signatures  []struct {
			Sig []byte `json:"sig"`
		} `json:"signatures"`
	} `json:"dsseEnvelope"`
}

type statement struct {
	Type      string    `json:"_type"`
	Predicate string    `json:"predicateType"`
	Subject   []subject `json:"subject"`
}

type subject struct {
	Digest      map[string]string `json:"digest"`
	Annotations map[string]any    `json:"annotations"`
}

func (s subject) digest() string { return "sha256:" + s.Digest["sha256"] }

func (s statement) digests() string {
	var all []string
	for _, subject := range s.Subject {
		all = append(all, subject.digest())
	}
	return strings.Join(all, ", ")
}

// CheckBundle tells why a bundle does not vouch for an image; nil if it does. One of the
// keys has to have signed its statement, which has to name one of the image's digests. The
// statement has a name only if whoever signed gave one (nameAnnotation); then it has to be
// the repository of one of the image's names. Entries of transparency logs and time stamps
// are not looked at: the key alone vouches.
func (k Keys) CheckBundle(text []byte, digests, names []string) error {
	payload, err := k.open(text)
	if err != nil {
		return err
	}
	return vouches(payload, digests, names)
}

// vouches tells why a statement, signed, does not vouch for an image.
func vouches(payload []byte, digests, names []string) error {
	var s statement
	if err := json.Unmarshal(payload, &s); err != nil {
		return fmt.Errorf("a signed statement cannot be read: %w", err)
	}
	switch {
	case s.Type != statementType:
		return fmt.Errorf("a signed statement is of type %q, and not %q", s.Type, statementType)
	case s.Predicate != SignPredicate:
		return fmt.Errorf("a statement of the kind %q is no signature of an image", s.Predicate)
	}
	err := fmt.Errorf("a signature is of another image, %q", s.digests())
	for _, subject := range s.Subject {
		if !slices.Contains(digests, subject.digest()) {
			continue
		}
		signed, has := subject.Annotations[nameAnnotation]
		if !has {
			return nil
		}
		if err = isFor(fmt.Sprint(signed), names); err == nil {
			return nil
		}
	}
	return err
}

// open takes the statement out of a bundle that one of the keys has signed.
func (k Keys) open(text []byte) ([]byte, error) {
	var b bundle
	err := json.Unmarshal(text, &b)
	switch e := b.Envelope; {
	case err != nil:
		return nil, fmt.Errorf("a sigstore bundle cannot be read: %w", err)
	case !strings.HasPrefix(b.MediaType, Bundle):
		return nil, fmt.Errorf("a sigstore bundle is of type %q", b.MediaType)
	case b.Material.PublicKey == nil:
		return nil, errors.New("a sigstore bundle is signed by a certificate, and not by a key")
	case e == nil:
		return nil, errors.New("a sigstore bundle has no DSSE envelope: it is of a file, and not of an image")
	case e.PayloadType != statementPayload:
		return nil, fmt.Errorf("what a sigstore bundle signs is of type %q, and not %q", e.PayloadType, statementPayload)
	case len(e.Signatures) != 1:
		return nil, fmt.Errorf("a sigstore bundle has %d signatures, want one", len(e.Signatures))
	}
	signed := preAuthentication(b.Envelope.PayloadType, b.Envelope.Payload)
	if !slices.ContainsFunc(k, func(key Key) bool { return key.fitsEnvelope(signed, b.Envelope.Signatures[0].Sig) }) {
		return nil, errOther
	}
	return b.Envelope.Payload, nil
}

// preAuthentication is what DSSE signs (PAE in its protocol.md): type and text, each with
// its length in bytes, so that no other pair gives the same.
func preAuthentication(kind string, text []byte) []byte {
	return fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(kind), kind, len(text), text)
}

// fitsEnvelope is fits for what cosign 3 signs in bundles, where the hash goes by the curve,
// and ed25519 may be of the hash (RFC 8032, Ed25519ph).
func (k Key) fitsEnvelope(signed, signature []byte) bool {
	if k.fits(signed, signature) {
		return true
	}
	switch p := k.public.(type) {
	case *ecdsa.PublicKey:
		sum := sha512.Sum384(signed)
		if p.Curve.Params().BitSize > 384 {
			long := sha512.Sum512(signed)
			return ecdsa.VerifyASN1(p, long[:], signature)
		}
		return p.Curve.Params().BitSize == 384 && ecdsa.VerifyASN1(p, sum[:], signature)
	case ed25519.PublicKey:
		sum := sha512.Sum512(signed)
		return ed25519.VerifyWithOptions(p, sum[:], signature, &ed25519.Options{Hash: crypto.SHA512}) == nil
	}
	return false
}
