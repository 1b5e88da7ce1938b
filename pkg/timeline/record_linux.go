package timeline

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// maxText bounds a name or a cause, so that a line stays below a page.
const maxText = 256

// Recorder appends to a timeline. Several processes may have the same one: a
// line is one write to a file opened for appending. Recording never fails for
// its caller; Err tells what went wrong. A nil Recorder records nothing.
type Recorder struct {
	now  func() time.Duration
	next atomic.Int64
	mu   sync.Mutex
	file *os.File
	err  error
}

// Open opens the file, or makes it.
func Open(path string) *Recorder {
	r := &Recorder{now: Now}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.err = fmt.Errorf("open timeline: %w", err)
		return r
	}
	r.file, r.err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	return r
}

// Now is the time since power-on.
func Now() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}

// Begin records that something begins; the function it gives records the end.
func (r *Recorder) Begin(name string, attrs ...Attr) func(error) {
	if r == nil {
		return func(error) {}
	}
	id := strconv.Itoa(os.Getpid()) + "-" + strconv.FormatInt(r.next.Add(1), 10)
	r.put(line{ID: id, Name: name}, attrs)
	return func(err error) {
		r.write(ending(id, r.now(), err), nil)
	}
}

func ending(id string, at time.Duration, err error) line {
	l := line{ID: id, End: true, At: at.Microseconds()}
	if err != nil {
		l.Err = err.Error()
	}
	return l
}

// Event records that something happened.
func (r *Recorder) Event(name string, attrs ...Attr) {
	if r != nil {
		r.put(line{Name: name}, attrs)
	}
}

// Span records something that is over, from begin on the clock of Now, and how it
// failed, if it did.
func (r *Recorder) Span(name string, begin, end time.Duration, err error, attrs ...Attr) {
	if r == nil {
		return
	}
	id := strconv.Itoa(os.Getpid()) + "-" + strconv.FormatInt(r.next.Add(1), 10)
	r.write(line{ID: id, Name: name, At: begin.Microseconds()}, attrs)
	r.write(ending(id, end, err), nil)
}

// Err is the first fault met while recording.
func (r *Recorder) Err() error {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// Close closes the file.
func (r *Recorder) Close() error {
	if r == nil || r.file == nil {
		return nil
	}
	return r.file.Close()
}

func (r *Recorder) put(l line, attrs []Attr) {
	l.At = r.now().Microseconds()
	r.write(l, attrs)
}

func (r *Recorder) write(l line, attrs []Attr) {
	for _, set := range attrs {
		set(&l)
	}
	l.Name, l.Err = cut(l.Name), cut(l.Err)
	data, err := json.Marshal(l)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		err = r.append(append(data, '\n'))
	}
	if r.err == nil {
		r.err = err
	}
}

func (r *Recorder) append(data []byte) error {
	if r.file == nil {
		return nil
	}
	info, err := r.file.Stat()
	if err != nil {
		return fmt.Errorf("write timeline: %w", err)
	}
	if info.Size()+int64(len(data)) > maxFile {
		return fmt.Errorf("write timeline: the file has reached %d bytes", maxFile)
	}
	if _, err := r.file.Write(data); err != nil {
		return fmt.Errorf("write timeline: %w", err)
	}
	return nil
}

func cut(s string) string {
	if len(s) > maxText {
		return s[:maxText]
	}
	return s
}
