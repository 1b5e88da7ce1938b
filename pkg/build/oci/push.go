package oci

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// PushTarget is where images are pushed to: REGISTRY/ORG, with a tag.
type PushTarget struct {
	repository string
	tag        string // of all images; "": each one's own
	otherwise  string // the tag of images whose names have none
	options    []name.Option
}

// ParsePushTarget reads REGISTRY/ORG[:TAG], with http:// before it for a registry
// that speaks no TLS. A tag there is that of all images; the other one is for those that
// have none else.
func ParsePushTarget(text, otherwise string) (PushTarget, error) {
	t := PushTarget{otherwise: otherwise, repository: strings.TrimPrefix(text, "https://")}
	if plain, ok := strings.CutPrefix(text, "http://"); ok {
		t.repository, t.options = plain, []name.Option{name.Insecure}
	}
	host, path, ok := strings.Cut(t.repository, "/")
	if before, after, tagged := strings.Cut(path, ":"); tagged {
		path, t.tag = before, after
		ok = ok && after != ""
	}
	t.repository = host + "/" + path
	_, err := t.reference("x")
	if !ok || path == "" || err != nil || !strings.ContainsAny(host, ".:") && host != "localhost" {
		return t, fmt.Errorf("%q: want REGISTRY/ORG[:TAG], such as registry.example:5000/team", text)
	}
	return t, nil
}

// Name is the full name of an image there.
func (t PushTarget) Name(image string) string {
	image, own, _ := strings.Cut(path.Base(image), ":")
	return t.repository + "/" + image + ":" + cmp.Or(t.tag, own, t.otherwise)
}

func (t PushTarget) reference(image string) (name.Tag, error) {
	return name.NewTag(t.Name(image), append(t.options, name.StrictValidation)...)
}

// Push writes an image of several platforms, with the credentials that Fetch takes.
// The tag is written last: it never means something half.
func (r *Registry) Push(ctx context.Context, to PushTarget, image string, index v1.ImageIndex) error {
	ref, err := to.reference(image)
	if err == nil {
		err = r.push(ctx, ref, index)
	}
	if err != nil {
		return fmt.Errorf("push image %s: %w", to.Name(image), explain(err, ref))
	}
	return nil
}

func (r *Registry) push(ctx context.Context, ref name.Tag, index v1.ImageIndex) error {
	client, err := r.login(ctx, ref, transport.PushScope)
	if err != nil {
		return err
	}
	return remote.WriteIndex(ref, index, remote.WithContext(ctx), remote.WithTransport(client.Transport))
}
