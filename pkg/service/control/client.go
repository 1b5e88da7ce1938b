package control

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// ErrNoSupervisor says that nobody answers on the socket.
var ErrNoSupervisor = errors.New("the supervisor does not answer")

var errNoAnswer = errors.New("the connection ended without an answer")

// maxAnswer bounds what a client reads. It tries again for busyTime, and so often at
// least: a machine that stands still for seconds takes all the time for one try.
const (
	maxAnswer = 16 << 20
	busyTime  = 10 * time.Second
	leastTry  = 2
)

// Client asks a Server.
type Client struct{ Path string }

// MetricsPath has the metrics.
const MetricsPath = "/metrics"

// Get fills v from a path.
func (c Client) Get(path string, v any) error { return c.call("GET", path, nil, v) }

// Raw gives what lies at a path, as it is sent.
func (c Client) Raw(path string) ([]byte, error) {
	var text rawText
	err := c.call("GET", path, nil, &text)
	return text, err
}

// rawText takes an answer that may be no JSON.
type rawText []byte

// Service is how one service is.
func (c Client) Service(name string, v any) error { return c.Get(servicePath(name, ""), v) }

// Services is how all are.
func (c Client) Services(v any) error { return c.Get(servicesPath, v) }

// Ask asks for start, stop or restart.
func (c Client) Ask(verb, name string, o Options, v any) error {
	return c.call("POST", servicePath(name, verb), o, v)
}

func servicePath(name, verb string) string {
	path := servicesPath + "/" + url.PathEscape(name)
	if verb != "" {
		path += "/" + verb
	}
	return path
}

// call asks until it is heard. A question can be asked again even if it may have been heard.
func (c Client) call(method, path string, body, v any) error {
	return persist(func() (bool, error) {
		err := c.once(method, path, body, v)
		return unheard(err) || method == "GET" && errors.Is(err, errNoAnswer), err
	})
}

// persist tries as long as a try says that it may be made again.
func persist(try func() (again bool, err error)) error {
	begin := time.Now()
	for n := 1; ; n++ {
		again, err := try()
		if !again || n >= leastTry && time.Since(begin) > busyTime {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// unheard tells of a server that has sent us away, having too many clients, or has given
// up before it had the request: nothing was done.
func unheard(err error) bool {
	var r *Refused
	return errors.As(err, &r) && (r.Status == 408 || r.Status == 503)
}

func (c Client) once(method, path string, body, v any) error {
	conn, err := c.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(3 * clientTime)); err != nil {
		return err
	}
	head, err := requestText(method, path, body)
	if err != nil {
		return err
	}
	// One that sends us away may have closed the connection already.
	_, writeErr := conn.Write(head)
	status, answer, err := readAnswer(bufio.NewReader(conn))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		// Its socket is there for the next one.
		return fmt.Errorf("%w within %s", ErrNoSupervisor, 3*clientTime)
	}
	if err = errors.Join(writeErr, err); status == 0 && err != nil {
		return fmt.Errorf("ask supervisor: %w", err)
	}
	if status == 200 {
		if text, is := v.(*rawText); is {
			*text = answer
			return nil
		}
		if err := json.Unmarshal(answer, v); err != nil {
			return fmt.Errorf("read the supervisor's answer: %w", err)
		}
		return nil
	}
	return refusal(status, answer)
}

func (c Client) dial() (*net.UnixConn, error) {
	conn, err := connect(c.Path, busyTime)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoSupervisor, err)
	}
	return conn, nil
}

func requestText(method, path string, body any) ([]byte, error) {
	if body == nil {
		return fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: localhost\r\n\r\n", method, path), nil
	}
	data, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	head := fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n",
		method, path, jsonKind, len(data))
	return append(head, data...), nil
}

// Refused is an answer that says no, in the supervisor's words.
type Refused struct {
	Status int
	Text   string
}

func (r *Refused) Error() string { return r.Text }

func refusal(status int, body []byte) error {
	var f Fault
	if err := json.Unmarshal(body, &f); err != nil {
		return fmt.Errorf("ask supervisor: status %d", status)
	}
	return &Refused{status, f.Error}
}

// readAnswer reads as much as the answer says that it has.
func readAnswer(in *bufio.Reader) (status int, body []byte, err error) {
	head := &headReader{in: in, left: maxHead}
	line, err := head.line()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return 0, nil, err
	}
	if err != nil {
		return 0, nil, errNoAnswer
	}
	fields := strings.Fields(line)
	if len(fields) < 2 {
		return 0, nil, errors.New("the answer is not HTTP")
	}
	if status, err = strconv.Atoi(fields[1]); err != nil {
		return 0, nil, errors.New("the answer is not HTTP")
	}
	length := 0
	for line != "" {
		if line, err = head.line(); err != nil {
			return 0, nil, err
		}
		if value, is := strings.CutPrefix(line, "Content-Length:"); is {
			if length, err = strconv.Atoi(strings.TrimSpace(value)); err != nil || length < 0 || length > maxAnswer {
				return 0, nil, errors.New("the answer's length is none")
			}
		}
	}
	body = make([]byte, length)
	if _, err = io.ReadFull(in, body); err != nil {
		return 0, nil, fmt.Errorf("the answer is cut short: %w", err)
	}
	return status, body, nil
}
