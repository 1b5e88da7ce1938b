package control

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// ErrNoSupervisor says that nobody answers on the socket.
var ErrNoSupervisor = errors.New("the supervisor does not answer")

// maxBody bounds what a client reads.
const maxBody = 16 << 20

// Client asks a Server.
type Client struct{ Path string }

// Get fills v from a path.
func (c Client) Get(path string, v any) error { return c.call("GET", path, v) }

// Service is how one service is.
func (c Client) Service(name string, v any) error { return c.Get(servicesPath+"/"+name, v) }

// Services is how all are.
func (c Client) Services(v any) error { return c.Get(servicesPath, v) }

// Ask makes a wish: start, stop or restart.
func (c Client) Ask(verb, name string, v any) error {
	return c.call("POST", servicesPath+"/"+name+"/"+verb, v)
}

func (c Client) call(method, path string, v any) error {
	conn, err := net.DialTimeout("unix", c.Path, clientTime)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoSupervisor, err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(2 * clientTime)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: localhost\r\n\r\n", method, path); err != nil {
		return fmt.Errorf("ask supervisor: %w", err)
	}
	status, body, err := readAnswer(conn)
	if err != nil {
		return fmt.Errorf("ask supervisor: %w", err)
	}
	if status == 200 {
		return json.Unmarshal(body, v)
	}
	var fault Fault
	if err := json.Unmarshal(body, &fault); err != nil {
		return fmt.Errorf("ask supervisor: status %d", status)
	}
	return errors.New(fault.Error)
}

// readAnswer reads until the server closes the connection, as it always does.
func readAnswer(r io.Reader) (status int, body []byte, err error) {
	in := bufio.NewReader(io.LimitReader(r, maxBody))
	line, err := readLine(in)
	if err != nil {
		return 0, nil, err
	}
	fields := strings.Fields(line)
	if len(fields) < 2 {
		return 0, nil, errors.New("the answer is not HTTP")
	}
	if status, err = strconv.Atoi(fields[1]); err != nil {
		return 0, nil, errors.New("the answer is not HTTP")
	}
	for line != "" {
		if line, err = readLine(in); err != nil {
			return 0, nil, err
		}
	}
	body, err = io.ReadAll(in)
	return status, body, err
}
