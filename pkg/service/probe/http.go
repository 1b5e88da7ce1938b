package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"slipway/pkg/reap"
)

// checkHTTP asks for a page and wants an answer of 200 to 399.
func checkHTTP(ctx context.Context, p reap.Ident, port int, path string) error {
	f, err := dial(ctx, p, port)
	if err != nil {
		return err
	}
	code, err := get(f, path)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("GET %s: %w", path, err)
	}
	if code < 200 || code > 399 {
		return fmt.Errorf("GET %s: status %d", path, code)
	}
	return nil
}

// get sends the request and reads the first line of the answer, which is short.
func get(f *os.File, path string) (int, error) {
	request := "GET " + path + " HTTP/1.0\r\nHost: localhost\r\nUser-Agent: slipway\r\nConnection: close\r\n\r\n"
	if _, err := f.WriteString(request); err != nil {
		return 0, fmt.Errorf("send request: %w", err)
	}
	var head []byte
	buf := make([]byte, 256)
	for len(head) < 512 && !bytes.Contains(head, []byte("\n")) {
		n, err := f.Read(buf)
		head = append(head, buf[:n]...)
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return 0, fmt.Errorf("read answer: %w", err)
		}
		if n == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	line, _, _ := bytes.Cut(head, []byte("\n"))
	fields := bytes.Fields(line)
	if len(fields) < 2 || !bytes.HasPrefix(fields[0], []byte("HTTP/")) {
		return 0, errors.New("the answer is not HTTP")
	}
	code, err := strconv.Atoi(string(fields[1]))
	if err != nil {
		return 0, errors.New("the answer is not HTTP")
	}
	return code, nil
}
