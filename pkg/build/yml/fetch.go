package yml

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// fetchTimeout bounds the whole transfer of a YAML text.
const fetchTimeout = time.Minute

func isURL(name string) bool {
	return strings.HasPrefix(name, "http://") || strings.HasPrefix(name, "https://")
}

// fetch opens a text on the network, as LinuxKit's tool does.
func fetch(ctx context.Context, url string) (io.ReadCloser, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		cancel()
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		cancel()
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		cancel()
		return nil, errors.Join(fmt.Errorf("get %s: %s", url, response.Status), response.Body.Close())
	}
	return body{response.Body, cancel}, nil
}

// body ends the request's context with the text.
type body struct {
	io.ReadCloser
	cancel func()
}

func (b body) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}
