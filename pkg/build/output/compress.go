package output

import (
	"compress/gzip"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// cpioCompression is what every kernel unpacks, and what LinuxKit's tool writes.
const cpioCompression = "gzip"

// compressor packs a plain initrd in a way that the kernel unpacks by itself,
// the same bytes on every machine: no compressor here cuts its input by the
// number of processors.
func compressor(w io.Writer, compression string) (io.WriteCloser, error) {
	switch compression {
	case "none":
		return plainWriter{w}, nil
	case "gzip":
		return gzip.NewWriterLevel(w, gzip.BestSpeed)
	case "zstd":
		return zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderConcurrency(1))
	case "lz4":
		// The kernel knows the format of the first lz4 program only. The writer's
		// ReadFrom leaves it in a state in which it takes no more.
		z := lz4.NewWriter(w)
		return struct{ io.WriteCloser }{z}, z.Apply(lz4.LegacyOption(true), lz4.ConcurrencyOption(1))
	}
	return nil, fmt.Errorf("compression %s: a cpio initrd takes zstd, lz4, gzip or none", compression)
}

type plainWriter struct{ io.Writer }

func (plainWriter) Close() error { return nil }
