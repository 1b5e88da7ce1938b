package oci

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
)

func TestHandover(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var want, got bytes.Buffer
	h := newHandover(&got)
	for range 500 {
		piece := make([]byte, random.IntN(5*handoverBuffer/100))
		for i := range piece {
			piece[i] = byte(random.Uint32())
		}
		if n, err := h.Write(piece); n != len(piece) || err != nil {
			t.Fatal(n, err)
		}
		want.Write(piece)
		clear(piece) // a writer's buffer is the writer's own again
	}
	if err := h.Close(); err != nil || !bytes.Equal(got.Bytes(), want.Bytes()) {
		t.Errorf("%d bytes of %d arrived, or others; %v", got.Len(), want.Len(), err)
	}
}

type brokenWriter struct{}

var errBroken = errors.New("no space left")

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

// TestHandoverFails wants the error in the end, and nobody to wait for ever.
func TestHandoverFails(t *testing.T) {
	h := newHandover(brokenWriter{})
	for range 3 * handoverBuffers {
		if _, err := h.Write(make([]byte, handoverBuffer)); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.Close(); !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
}
