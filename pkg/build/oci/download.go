package oci

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// download brings one blob into the store. What has come is kept in a partial
// file; after a cut connection, or in the next build after a kill, it goes on
// there, if the server does ranges, and begins anew if not.
type download struct {
	*Registry
	client *http.Client
	repo   name.Repository
	blob   v1.Descriptor
	store  *Layout
	what   string // image, for messages
}

// tries is how often a download is begun without a byte more than before.
const tries = 5

func (d *download) run(ctx context.Context) error {
	if err := checkHash(d.blob.Digest); err != nil {
		return err
	}
	if d.store.holds(d.blob.Digest, d.blob.Size) {
		return nil
	}
	part, err := d.store.openPartial(ctx, d.blob.Digest)
	if err != nil {
		return err
	}
	if d.store.holds(d.blob.Digest, d.blob.Size) { // fetched while we waited
		return part.drop()
	}
	if part.size > d.blob.Size {
		if err := part.begin(); err != nil {
			return errors.Join(err, part.Close())
		}
	}
	resumed := part.size > 0
	err = d.fill(ctx, part)
	if errors.Is(err, errDigest) && resumed {
		// The beginning may be of a time before a crash: once more from scratch.
		if err = part.begin(); err == nil {
			err = d.fill(ctx, part)
		}
	}
	if err != nil {
		err = fmt.Errorf("layer %s: %w", d.blob.Digest, err)
		if errors.Is(err, errDigest) {
			return errors.Join(err, part.drop())
		}
		return errors.Join(err, part.Close())
	}
	return part.commit(d.store.path(d.blob.Digest))
}

// fill fetches until the blob is whole, and checks its digest.
func (d *download) fill(ctx context.Context, part *partial) error {
	var bar Transfer
	if d.Progress != nil {
		bar = d.Progress.Start(d.what+" "+d.blob.Digest.Hex[:12], part.size, d.blob.Size)
		defer bar.Close()
	}
	pause := d.pause()
	for try := 1; part.size != d.blob.Size; try++ {
		before := part.size
		err := d.once(ctx, part, bar)
		if part.size > before {
			try, pause = 0, d.pause()
		}
		if err == nil {
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if lasting(err) || try == tries {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
			pause *= 2
		}
	}
	return verify(io.NewSectionReader(part.file, 0, part.size), d.blob.Digest)
}

// once asks for what is missing and takes what comes; a server that stalls is
// cut off.
func (d *download) once(ctx context.Context, part *partial, bar Transfer) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	after := d.after
	if after == nil {
		after = time.AfterFunc
	}
	watch := after(d.stall(), func() { stop(errStall) })
	defer watch.Stop()
	err := d.exchange(ctx, part, func() {
		watch.Reset(d.stall())
		if bar != nil {
			bar.At(part.size)
		}
	})
	if err != nil && errors.Is(context.Cause(ctx), errStall) {
		return errStall
	}
	return err
}

func (d *download) exchange(ctx context.Context, part *partial, moved func()) error {
	response, err := d.ask(ctx, part.size)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	switch {
	case part.size == 0 && response.StatusCode == http.StatusOK:
	case response.StatusCode == http.StatusPartialContent && strings.HasPrefix(response.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", part.size)):
	case response.StatusCode == http.StatusRequestedRangeNotSatisfiable || response.StatusCode == http.StatusPartialContent:
		return errors.Join(errRange, part.begin())
	case response.StatusCode == http.StatusOK:
		if err := part.begin(); err != nil {
			return err
		}
	default:
		return transport.CheckError(response, http.StatusOK)
	}
	return d.take(response.Body, part, moved)
}

var (
	errRange = errors.New("the server gave another part than asked for")
	errLong  = errors.New("more bytes than the manifest says")
	errStall = errors.New("no byte has come for a while")
)

// lasting errors are the same at the next try.
func lasting(err error) bool {
	refused, is := errors.AsType[*transport.Error](err)
	return errors.Is(err, errLong) || is && !slices.Contains(again, refused.StatusCode)
}

func (d *download) ask(ctx context.Context, from int64) (*http.Response, error) {
	at := url.URL{Scheme: d.repo.Scheme(), Host: d.repo.RegistryStr(), Path: "/v2/" + d.repo.RepositoryStr() + "/blobs/" + d.blob.Digest.String()}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, err
	}
	if from > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", from, d.blob.Size-1))
	}
	response, err := d.client.Do(request)
	if failed, is := errors.AsType[*url.Error](err); is { // a signed address has secrets in its query
		failed.URL, _, _ = strings.Cut(failed.URL, "?")
	}
	return response, err
}

// take copies the body to the partial file.
func (d *download) take(body io.Reader, part *partial, moved func()) error {
	buffer := make([]byte, 128<<10)
	for {
		n, err := body.Read(buffer)
		if part.size+int64(n) > d.blob.Size {
			return errLong
		}
		if err := part.append(buffer[:n]); err != nil {
			return err
		}
		moved()
		switch {
		case errors.Is(err, io.EOF) && part.size < d.blob.Size:
			return io.ErrUnexpectedEOF
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}
