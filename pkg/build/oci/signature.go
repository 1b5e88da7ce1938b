package oci

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"slipway/pkg/build/signature"
)

// What cosign calls its signatures (its specs/SIGNATURE_SPEC.md). They lie beside the image
// as the tag sha256-DIGEST.sig, or refer to it (OCI 1.1), as bundles always do (its
// specs/BUNDLE_SPEC.md); in a layout that `cosign save` has made they are marked by their
// kind.
const (
	simpleSigning       = types.MediaType("application/vnd.dev.cosign.simplesigning.v1+json")
	signatureAnnotation = "dev.cosignproject.cosign/signature"
	signatureArtifact   = "application/vnd.dev.cosign.artifact.sig.v1+json"
	kindAnnotation      = "kind"
	signaturesKind      = "dev.cosignproject.cosign/sigs"
	predicateAnnotation = "dev.sigstore.bundle.predicateType"
)

// A Signature is a text with a signature (base64) of it, or a sigstore bundle, which holds
// both. Nothing is known of it but where it was found.
type Signature struct {
	Text      []byte
	Signature string // "" of a bundle
}

// Digests are all by which an image may be signed: of the indexes it was found through and
// of its manifest; none for an image of docker save.
func (i *Image) Digests() []string {
	var all []string
	for _, h := range append(i.via[:len(i.via):len(i.via)], i.Digest) {
		if h.Hex != "" {
			all = append(all, h.String())
		}
	}
	return all
}

// Known are the names of an image: as it is written, and as it is looked for.
func (f *Finder) Known(written string) []string { return []string{written, f.Rename.apply(written)} }

// maxSignatures is how many an image may have in one place.
const maxSignatures = 64

// Verify looks for signatures of an image, in the layouts, the store and its registry,
// until check takes one, which is kept in the store. The error says why each was refused.
func (f *Finder) Verify(ctx context.Context, written string, digests []string, check func(Signature) error) error {
	var refused []error
	for _, s := range append(f.Layouts[:len(f.Layouts):len(f.Layouts)], f.Store) {
		err := verifyIn(s, digests, check)
		if err == nil {
			return nil
		}
		refused = append(refused, err)
	}
	name := f.Rename.apply(written)
	if f.Remote != nil && !hasNoRegistry(name) {
		err := f.Remote.verify(ctx, FullName(name), digests, check, f.Store)
		if err == nil || ctx.Err() != nil {
			return err
		}
		refused = append(refused, err)
	}
	return joinReasons(refused)
}

// errUnsigned is of a place with no signature.
var errUnsigned = errors.New("there is none")

// joinReasons leaves out places with none, if another has one.
func joinReasons(all []error) error {
	seen := map[string]bool{}
	var texts []string
	for _, err := range all {
		if errors.Is(err, errUnsigned) || seen[err.Error()] {
			continue
		}
		seen[err.Error()] = true
		texts = append(texts, err.Error())
	}
	if len(texts) == 0 {
		return errUnsigned
	}
	return errors.New(strings.Join(texts, "; "))
}

// signatureTag is where cosign puts the signatures of a digest.
func signatureTag(digest string) string { return strings.Replace(digest, ":", "-", 1) + ".sig" }

// keptTag is where the store has what was found of them: each bundle in a place of its own,
// as one signature is all that it holds.
func keptTag(digest string, place name.Reference) string {
	tag := signatureTag(digest)
	if d, is := place.(name.Digest); is {
		_, hex, _ := strings.Cut(d.DigestStr(), ":")
		tag = strings.TrimSuffix(tag, "sig") + hex[:min(len(hex), 12)] + ".sig"
	}
	return tag
}

// isBundle tells a bundle by the media type of itself or of what it lies in.
func isBundle(mediaType string) bool { return strings.HasPrefix(mediaType, signature.Bundle) }

// verifyIn looks in a layout.
func verifyIn(s Source, digests []string, check func(Signature) error) error {
	from, index, err := contentsOf(s)
	if err != nil {
		return err
	}
	var refused []error
	for _, d := range index.Manifests {
		if !signs(d, digests) {
			continue
		}
		data, err := document(from, d.Digest)
		if err == nil && ofAnother(data, digests) {
			continue
		}
		if err == nil {
			err = verifyManifest(data, check, func(h v1.Hash) ([]byte, error) { return document(from, h) })
		}
		if err == nil {
			return nil
		}
		if len(refused) < maxSignatures {
			refused = append(refused, err)
		}
	}
	return joinReasons(refused)
}

// ofAnother tells whether a manifest names an image that it is of, and that is not one of
// the digests.
func ofAnother(manifest []byte, digests []string) bool {
	m, err := v1.ParseManifest(bytes.NewReader(manifest))
	return err == nil && m.Subject != nil && !slices.Contains(digests, m.Subject.Digest.String())
}

// signs tells whether an entry of a layout may be a signature of one of the digests.
func signs(d v1.Descriptor, digests []string) bool {
	ref := refOf(d)
	tag := ref[strings.LastIndex(ref, ":")+1:]
	for _, digest := range digests {
		if rest, is := strings.CutPrefix(tag, strings.TrimSuffix(signatureTag(digest), "sig")); is && strings.HasSuffix(rest, "sig") {
			return true
		}
	}
	return d.Annotations[kindAnnotation] == signaturesKind || refers(d)
}

// refers tells whether what refers to an image may be a signature: others are SBOMs and
// whatever else people state of images.
func refers(d v1.Descriptor) bool {
	predicate := d.Annotations[predicateAnnotation]
	return d.ArtifactType == signatureArtifact || isBundle(d.ArtifactType) && (predicate == "" || predicate == signature.SignPredicate)
}

// contentsOf opens a source for reading documents.
func contentsOf(s Source) (blobs, *v1.IndexManifest, error) {
	switch s := s.(type) {
	case namedSource:
		return contentsOf(s.located)
	case *Layout:
		index, err := s.index()
		if errors.Is(err, ErrNoStore) {
			return s.directory, &v1.IndexManifest{}, nil
		}
		return s.directory, index, err
	case *archive:
		if s.index != nil {
			return s, s.index, nil
		}
	}
	return nil, &v1.IndexManifest{}, nil
}

// verifyManifest tries the signatures that a manifest lists.
func verifyManifest(manifest []byte, check func(Signature) error, read func(v1.Hash) ([]byte, error)) error {
	m, err := v1.ParseManifest(strings.NewReader(string(manifest)))
	if err != nil {
		return fmt.Errorf("a list of signatures: %w", err)
	}
	var refused []error
	for _, layer := range m.Layers[:min(len(m.Layers), maxSignatures)] {
		found := Signature{Signature: layer.Annotations[signatureAnnotation]}
		if bundle := isBundle(string(layer.MediaType)); bundle {
			found.Signature = ""
		} else if layer.MediaType != simpleSigning || found.Signature == "" {
			continue
		}
		var err error
		found.Text, err = read(layer.Digest)
		if err == nil {
			err = check(found)
		}
		if err == nil {
			return nil
		}
		refused = append(refused, err)
	}
	return joinReasons(refused)
}

// verify looks in the image's registry.
func (r *Registry) verify(ctx context.Context, full string, digests []string, check func(Signature) error, store *Layout) error {
	ref, err := r.Mirrors.reference(full)
	if err != nil {
		return err
	}
	client, err := r.login(ctx, ref, transport.PullScope)
	if err != nil {
		return explain(err, ref)
	}
	options := []remote.Option{remote.WithContext(ctx), remote.WithTransport(client.Transport)}
	var refused []error
	for _, digest := range digests {
		places, err := signaturesOf(ref.Context(), digest, options)
		if err != nil {
			return err
		}
		for _, place := range places {
			img, err := remote.Image(place, options...)
			if err == nil {
				err = verifyImage(img, check)
			}
			if err == nil {
				repo, _, _ := strings.Cut(full, "@")
				if tag := strings.LastIndex(repo, ":"); tag > strings.LastIndex(repo, "/") {
					repo = repo[:tag]
				}
				return store.Put(repo+":"+keptTag(digest, place), img, map[string]string{FetchedAnnotation: ref.Context().RegistryStr()})
			}
			if !missing(err) {
				refused = append(refused, err)
			}
		}
	}
	return joinReasons(refused)
}

// missing is an answer of a registry that it has no such thing.
func missing(err error) bool {
	answer, is := errors.AsType[*transport.Error](err)
	return is && answer.StatusCode == 404
}

// signaturesOf are the places in a repository where signatures of a digest may be.
func signaturesOf(repo name.Repository, digest string, options []remote.Option) ([]name.Reference, error) {
	places := []name.Reference{repo.Tag(signatureTag(digest))}
	index, err := remote.Referrers(repo.Digest(digest), options...)
	if missing(err) {
		return places, nil
	}
	if err != nil {
		return nil, fmt.Errorf("ask what refers to %s: %w", digest, err)
	}
	m, err := index.IndexManifest()
	if err != nil {
		return nil, fmt.Errorf("what refers to %s: %w", digest, err)
	}
	for _, d := range m.Manifests {
		if refers(d) && len(places) <= maxSignatures {
			places = append(places, repo.Digest(d.Digest.String()))
		}
	}
	return places, nil
}

// verifyImage tries the signatures of what a registry gave; their digests are checked as
// they are read.
func verifyImage(img v1.Image, check func(Signature) error) error {
	manifest, err := img.RawManifest()
	if err != nil {
		return err
	}
	return verifyManifest(manifest, check, func(h v1.Hash) (data []byte, err error) {
		layer, err := img.LayerByDigest(h)
		if err != nil {
			return nil, err
		}
		r, err := layer.Compressed()
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, r.Close()) }()
		return io.ReadAll(io.LimitReader(r, maxDocument))
	})
}
