// Package control is the way to the supervisor for the command line and for
// programs: HTTP/1.1 with JSON on a Unix socket that only root can use.
//
// What the supervisor tells of containers is here too: its types with their JSON, and
// the table that people see.
//
// It speaks as much HTTP as curl and monitoring agents need: one request on a
// connection. Go's own server would cost 3.4 MB of resident memory, more than
// all else that the supervisor has.
package control

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// maxHead bounds the head of a request or an answer, maxBody the rest of a
// request.
const (
	maxHead = 8 << 10
	maxBody = 64 << 10
)

// request is the part of a request that matters here.
type request struct {
	method string
	path   string
	body   []byte
	files  []*os.File // that came with it, for a program's streams
}

// answer is what a request comes to.
type answer struct {
	status int
	kind   string // Content-Type
	body   []byte
	// then takes the connection over, once the answer is written.
	then func()
}

var reasons = map[int]string{
	101: "Switching Protocols", 200: "OK", 400: "Bad Request", 403: "Forbidden", 404: "Not Found",
	405: "Method Not Allowed", 408: "Request Timeout", 409: "Conflict", 411: "Length Required", 413: "Content Too Large",
	503: "Service Unavailable",
}

// fault is a request that cannot be read, and the status to say so with.
type fault struct {
	status int
	text   string
}

func (f *fault) Error() string { return f.text }

var errHead = &fault{400, "not an HTTP request, or one with too long a head"}

// readRequest reads a request. Of its headers only those matter that say how
// much follows. Its error is a fault, or of the connection's deadline.
func readRequest(r io.Reader) (request, error) {
	in := bufio.NewReaderSize(io.LimitReader(r, maxHead+maxBody), 512)
	head := &headReader{in: in, left: maxHead}
	first, err := head.line()
	if err != nil {
		return request{}, err
	}
	fields := strings.Split(first, " ")
	if len(fields) != 3 || !strings.HasPrefix(fields[2], "HTTP/1.") || !strings.HasPrefix(fields[1], "/") {
		return request{}, errHead
	}
	path, _, _ := strings.Cut(fields[1], "?")
	q := request{method: fields[0], path: path}
	length, err := head.length()
	if err != nil || length == 0 {
		return q, err
	}
	q.body = make([]byte, length)
	_, err = io.ReadFull(in, q.body)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return request{}, fmt.Errorf("read request: %w", err)
	}
	if err != nil {
		return request{}, &fault{400, "the request's body is shorter than it says"}
	}
	return q, nil
}

// headReader reads lines up to a bound: the end of what may be read is the end
// of patience.
type headReader struct {
	in   *bufio.Reader
	left int
}

func (h *headReader) line() (string, error) {
	var line []byte
	for {
		part, err := h.in.ReadSlice('\n')
		line = append(line, part...)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return "", fmt.Errorf("read request: %w", err)
		}
		if h.left -= len(part); h.left < 0 || err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return "", errHead
		}
		if err == nil {
			return strings.TrimRight(string(line), "\r\n"), nil
		}
	}
}

// length reads the headers and says how long the body is.
func (h *headReader) length() (int, error) {
	length := 0
	for {
		line, err := h.line()
		if err != nil || line == "" {
			return length, err
		}
		key, value, _ := strings.Cut(line, ":")
		switch value = strings.TrimSpace(value); strings.ToLower(key) {
		case "transfer-encoding":
			return 0, &fault{411, "a request's body needs a Content-Length"}
		case "content-length":
			if length, err = strconv.Atoi(value); err != nil || length < 0 {
				return 0, &fault{400, "Content-Length is no number"}
			}
			if length > maxBody {
				return 0, &fault{413, fmt.Sprintf("the request's body is longer than %d bytes", maxBody)}
			}
		}
	}
}

func (a answer) bytes() []byte {
	head := fmt.Sprintf("HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n",
		a.status, reasons[a.status], a.kind, len(a.body))
	if a.then != nil {
		head = fmt.Sprintf("HTTP/1.1 %d %s\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", a.status, reasons[a.status], a.kind)
	}
	return append([]byte(head), a.body...)
}

const jsonKind = "application/json"

func jsonAnswer(status int, v any) answer {
	data, err := json.Marshal(v)
	if err != nil {
		return failure(503, err)
	}
	return answer{status: status, kind: jsonKind, body: append(data, '\n')}
}

// Fault is the JSON of an answer that is not 200.
type Fault struct {
	Error string `json:"error"`
}

// failure is the answer to a request that failed: with that status, or 503 where nobody had time for it.
func failure(status int, err error) answer {
	if errors.As(err, new(Unheard)) {
		status = 503
	}
	return jsonAnswer(status, Fault{Error: err.Error()})
}
