package oci

import (
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
	repository, tag string
	options         []name.Option
}

// ParsePushTarget reads REGISTRY/ORG[:TAG], with http:// before it for a registry
// that speaks no TLS. Without a tag there it is that of the default.
func ParsePushTarget(text, tag string) (PushTarget, error) {
	t := PushTarget{tag: tag, repository: strings.TrimPrefix(text, "https://")}
	if plain, ok := strings.CutPrefix(text, "http://"); ok {
		t.repository, t.options = plain, []name.Option{name.Insecure}
	}
	host, path, ok := strings.Cut(t.repository, "/")
	if before, after, tagged := strings.Cut(path, ":"); tagged {
		path, t.tag = before, after
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
	if image = path.Base(image); strings.Contains(image, ":") {
		return t.repository + "/" + image
	}
	return t.repository + "/" + image + ":" + t.tag
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
