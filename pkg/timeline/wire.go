package timeline

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// PortName is the virtio serial port on which a virtual machine hands its
// timeline to the host. The name tells the guest what the port is for, so that
// no option is needed, and no image that does not know of it is disturbed.
const PortName = "slipway.timeline"

// The lines around a timeline on its way. The second carries a checksum.
const (
	wireBegin = "slipway-timeline begin"
	wireEnd   = "slipway-timeline end "
)

// ErrNoPort says that this machine has no port for its timeline.
var ErrNoPort = errors.New("no port named " + PortName)

// sendTime bounds the sending: a host that does not read holds nobody up.
const sendTime = 5 * time.Second

// Send hands the timeline in a file to the host, if that has asked for it. The
// folders are /sys and /dev.
func Send(file, sys, dev string) error {
	port, err := findPort(sys)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("send timeline: %w", err)
	}
	if i := bytes.LastIndexByte(data, '\n'); i+1 < len(data) {
		data = data[:i+1] // a line that is being written
	}
	sum := sha256.Sum256(data)
	text := fmt.Appendf(nil, "%s\n%s%s%s\n", wireBegin, data, wireEnd, hex.EncodeToString(sum[:]))
	f, err := os.OpenFile(filepath.Join(dev, port), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return fmt.Errorf("send timeline: %w", err)
	}
	return errors.Join(write(f, text), f.Close())
}

func write(f *os.File, text []byte) error {
	// What is no device has no deadline, and needs none.
	if err := f.SetWriteDeadline(time.Now().Add(sendTime)); err != nil && !errors.Is(err, os.ErrNoDeadline) {
		return fmt.Errorf("send timeline: %w", err)
	}
	if _, err := f.Write(text); err != nil {
		return fmt.Errorf("send timeline: %w", err)
	}
	return nil
}

func findPort(sys string) (string, error) {
	names, err := filepath.Glob(filepath.Join(sys, "class/virtio-ports/*/name"))
	if err != nil {
		return "", err
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err == nil && strings.TrimSpace(string(data)) == PortName {
			return filepath.Base(filepath.Dir(name)), nil
		}
	}
	return "", ErrNoPort
}

// Receive reads what a guest sends until a whole timeline has come. Nothing that
// a guest sends costs more than the longest timeline.
func Receive(r io.Reader) ([]byte, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 64<<10)
	var data []byte
	for lines.Scan() {
		line := lines.Text()
		sum, end := strings.CutPrefix(line, wireEnd)
		switch {
		case line == wireBegin:
			data = data[:0]
		case end:
			if got := sha256.Sum256(data); sum == hex.EncodeToString(got[:]) {
				return data, nil
			}
			return nil, errors.New("the guest's timeline came with a wrong checksum")
		case len(data)+len(line) > 2*maxFile:
			return nil, errors.New("the guest's timeline is too long")
		default:
			data = append(append(data, line...), '\n')
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("receive timeline: %w", err)
	}
	return nil, io.ErrUnexpectedEOF
}
