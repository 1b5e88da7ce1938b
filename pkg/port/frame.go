package port

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strconv"
	"sync/atomic"
)

// On the wire a message is JSON, cut into pieces, each a line
//
//	SUM ID+PIECE      more of the message ID follows
//	SUM ID.PIECE      the last one
//
// where SUM is the CRC-32C of the rest of the line in eight hexadecimal digits.
// A piece is one write, which virtio_console passes on as a whole up to 32 KiB:
// so programs that share the port need no lock. Each begins with a newline, which
// ends what a program that was killed has left unfinished.
const (
	maxPiece   = 16 << 10
	maxLine    = maxPiece + 64
	maxMessage = 2 << 20
	// maxUnfinished bounds the messages that are under way at a time.
	maxUnfinished = 8
)

// castagnoli is a table of our own: that of package crc32 is for megabytes, and takes
// a million instructions of each program at its start.
var castagnoli = func() (t crc32.Table) {
	for i := range t {
		v := uint32(i)
		for range 8 {
			v = v>>1 ^ crc32.Castagnoli*(v&1)
		}
		t[i] = v
	}
	return t
}()

func sum(b []byte) uint32 { return crc32.Checksum(b, &castagnoli) }

// messages counts those of this program.
var messages atomic.Int64

// pieces is a message as it is written.
func pieces(m Message) ([][]byte, error) {
	data, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("port: %w", err)
	}
	if len(data) > maxMessage {
		return nil, fmt.Errorf("port: a message of %d bytes is too long", len(data))
	}
	id := strconv.Itoa(os.Getpid()) + "-" + strconv.FormatInt(messages.Add(1), 10)
	var all [][]byte
	for len(all) == 0 || len(data) > 0 {
		n := min(len(data), maxPiece)
		flag := "."
		if n < len(data) {
			flag = "+"
		}
		rest := append([]byte(id+flag), data[:n]...)
		all = append(all, fmt.Appendf(nil, "\n%08x %s\n", sum(rest), rest))
		data = data[n:]
	}
	return all, nil
}

// Reader puts messages together again. Whatever it reads, it passes over what is
// none, and costs no more than a few of the longest messages.
type Reader struct {
	r     *bufio.Reader
	parts map[string][]byte
}

// NewReader reads messages from r.
func NewReader(r io.Reader) *Reader {
	return &Reader{r: bufio.NewReaderSize(r, maxLine), parts: map[string][]byte{}}
}

// Next waits for a message. The error is that of the reader below.
func (r *Reader) Next() (Message, error) {
	for {
		line, err := r.r.ReadSlice('\n')
		for errors.Is(err, bufio.ErrBufferFull) {
			line = nil // too long for a piece
			_, err = r.r.ReadSlice('\n')
		}
		if err != nil {
			return Message{}, err
		}
		if m, ok := r.take(bytes.TrimSuffix(line, []byte("\n"))); ok {
			return m, nil
		}
	}
}

// take adds a line, and gives the message that it completes.
func (r *Reader) take(line []byte) (m Message, ok bool) {
	head, rest, found := bytes.Cut(line, []byte(" "))
	if !found || string(head) != fmt.Sprintf("%08x", sum(rest)) {
		return m, false
	}
	at := bytes.IndexAny(rest, "+.")
	if at < 0 {
		return m, false
	}
	id := string(rest[:at])
	data := append(r.parts[id], rest[at+1:]...)
	if delete(r.parts, id); rest[at] == '.' {
		return m, json.Unmarshal(data, &m) == nil
	}
	if len(r.parts) >= maxUnfinished {
		clear(r.parts) // of programs that were killed
	}
	if len(data) <= maxMessage {
		r.parts[id] = data
	}
	return m, false
}

// Write writes a message, a piece at a time.
func Write(w io.Writer, m Message) error {
	all, err := pieces(m)
	if err != nil {
		return err
	}
	for _, p := range all {
		if _, err := w.Write(p); err != nil {
			return fmt.Errorf("port: %w", err)
		}
	}
	return nil
}
