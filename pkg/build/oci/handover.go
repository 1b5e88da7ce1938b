package oci

import "io"

const (
	handoverBuffer  = 256 << 10
	handoverBuffers = 4
)

// handover writes on a goroutine of its own, so that unpacking a layer and storing what comes of
// it go on side by side.
type handover struct {
	full, free chan []byte
	buf        []byte // being filled
	done       chan error
}

func newHandover(w io.Writer) *handover {
	h := &handover{full: make(chan []byte, handoverBuffers), free: make(chan []byte, handoverBuffers), done: make(chan error, 1)}
	for range handoverBuffers {
		h.free <- make([]byte, 0, handoverBuffer)
	}
	go func() {
		var err error
		for buf := range h.full {
			// After a failure buffers still come back, so that nobody waits.
			if err == nil {
				_, err = w.Write(buf)
			}
			h.free <- buf[:0]
		}
		h.done <- err
	}()
	return h
}

// Write takes everything; what became of it is told by Close.
func (h *handover) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 {
		if h.buf == nil {
			h.buf = <-h.free
		}
		n := min(len(p), cap(h.buf)-len(h.buf))
		h.buf = append(h.buf, p[:n]...)
		p = p[n:]
		if len(h.buf) == cap(h.buf) {
			h.full <- h.buf
			h.buf = nil
		}
	}
	return total, nil
}

// Close waits until all is written. It has to be called, once.
func (h *handover) Close() error {
	if h.buf != nil {
		h.full <- h.buf
	}
	close(h.full)
	return <-h.done
}
