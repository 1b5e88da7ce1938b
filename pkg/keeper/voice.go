package keeper

import (
	"bufio"
	"io"
	"os"
)

// maxWord bounds a line of a supervisor that is none of ours.
const maxWord = 64

// listen passes on the lines that come from a supervisor, until its end.
func listen(r *os.File, lines chan<- string) {
	defer close(lines)
	defer closeQuietly(r)
	in := bufio.NewScanner(io.LimitReader(r, 1<<10))
	in.Buffer(make([]byte, maxWord), maxWord)
	for in.Scan() {
		lines <- in.Text()
	}
}

// closeQuietly closes a pipe, which holds nothing that could be lost.
func closeQuietly(f *os.File) { _ = f.Close() }
