// Package control is the way to the supervisor for the command line and for
// programs: HTTP/1.1 with JSON on a Unix socket that only root can use.
//
// It speaks as much HTTP as curl and monitoring agents need: one request on a
// connection, without a body. Go's own server would cost 3.4 MB of resident
// memory, more than all else that the supervisor has.
package control

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxHead bounds the head of a request or an answer.
const maxHead = 8 << 10

// request is the part of a request that matters here.
type request struct {
	method string
	path   string
}

// answer is what a request comes to.
type answer struct {
	status int
	kind   string // Content-Type
	body   []byte
}

var reasons = map[int]string{
	200: "OK", 400: "Bad Request", 403: "Forbidden", 404: "Not Found",
	405: "Method Not Allowed", 409: "Conflict", 503: "Service Unavailable",
}

var errHead = errors.New("not an HTTP request, or one with too long a head")

// readRequest reads a request's first line and passes its headers over: none of
// them changes an answer.
func readRequest(r io.Reader) (request, error) {
	in := bufio.NewReaderSize(io.LimitReader(r, maxHead), 512)
	first, err := readLine(in)
	if err != nil {
		return request{}, err
	}
	fields := strings.Split(first, " ")
	if len(fields) != 3 || !strings.HasPrefix(fields[2], "HTTP/1.") || !strings.HasPrefix(fields[1], "/") {
		return request{}, errHead
	}
	for {
		line, err := readLine(in)
		if err != nil {
			return request{}, err
		}
		if line == "" {
			path, _, _ := strings.Cut(fields[1], "?")
			return request{method: fields[0], path: path}, nil
		}
	}
}

// readLine reads a line and leaves its end away. The end of what may be read is
// the end of patience.
func readLine(in *bufio.Reader) (string, error) {
	line, err := in.ReadString('\n')
	if errors.Is(err, io.EOF) {
		return "", errHead
	}
	if err != nil {
		return "", err
	}
	return strings.TrimRight(line, "\r\n"), nil
}

func (a answer) write(w io.Writer) error {
	head := fmt.Sprintf("HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n",
		a.status, reasons[a.status], a.kind, len(a.body))
	_, err := w.Write(append([]byte(head), a.body...))
	return err
}

const jsonKind = "application/json"

func jsonAnswer(status int, v any) answer {
	data, err := json.Marshal(v)
	if err != nil {
		return failure(503, err)
	}
	return answer{status, jsonKind, append(data, '\n')}
}

// Fault is the JSON of an answer that is not 200.
type Fault struct {
	Error string `json:"error"`
}

func failure(status int, err error) answer {
	return jsonAnswer(status, Fault{Error: err.Error()})
}
