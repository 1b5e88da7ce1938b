package output

import (
	"bufio"
	"io"
	"os"

	"slipway/pkg/build/tree"
)

// pipeWriter writes to a pipe that another program reads. What lies in a file as it is
// goes there without being copied to us and back.
type pipeWriter struct {
	*bufio.Writer
	pipe *os.File
}

// minSplice is about what costs less to copy than to hand on by itself.
const minSplice = 32 << 10

func newPipeWriter(pipe *os.File) *pipeWriter {
	widen(pipe)
	return &pipeWriter{bufio.NewWriterSize(pipe, bufferSize), pipe}
}

// send writes the whole content of a file.
func (p *pipeWriter) send(content *tree.Inode) error {
	sent := int64(0)
	if file, at := fileOf(content.Data); file != nil && content.Size >= minSplice {
		err := p.Flush()
		if err == nil {
			sent, err = splice(p.pipe, file, at, content.Size)
		}
		if err != nil {
			return err
		}
	}
	_, err := io.CopyN(p.Writer, io.NewSectionReader(content.Data, sent, content.Size-sent), content.Size-sent)
	return err
}

// fileOf is the file that a content lies in, and where; nil if it lies elsewhere.
func fileOf(r io.ReaderAt) (file *os.File, at int64) {
	for {
		switch v := r.(type) {
		case *os.File:
			return v, at
		case *io.SectionReader:
			outer, off, _ := v.Outer()
			r, at = outer, at+off
		default:
			return nil, 0
		}
	}
}
