package oci

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"time"

	"slipway/pkg/build/input"
)

// TransportTrusting is http.DefaultTransport that also takes certificates of
// the authorities in PEM files.
func TransportTrusting(files []string) (http.RoundTripper, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.ResponseHeaderTimeout = time.Minute
	if len(files) == 0 {
		return t, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // a system without any
	}
	for _, file := range files {
		pem, err := input.Read(file, maxDocument)
		if err != nil {
			return nil, fmt.Errorf("read certificates: %w", err)
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read certificates: %s: no certificate in it", file)
		}
	}
	t.TLSClientConfig = &tls.Config{RootCAs: pool}
	return t, nil
}
