package qemu

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"

	"slipway/pkg/port"
)

// Output is where files of the guest go.
type Output struct {
	// Dir is a directory of their own: it is made, or empty. "" asks for no files.
	Dir string
	// Most is how many bytes they may have together.
	Most int64
}

// Check refuses a directory that has something in it: files of the guest, which may be
// hostile, never lie among others, and replace none.
func (o Output) Check() error {
	if o.Dir == "" {
		return nil
	}
	entries, err := os.ReadDir(o.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("output: %w", err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("output: %s is not empty: the guest's files go into a directory of their own", o.Dir)
	}
	return nil
}

// Handed is what came of a guest's files.
type Handed struct {
	Dir    string   `json:"dir"`
	Number int      `json:"number"`         // files that are whole
	Bytes  int64    `json:"bytes"`          // in them
	Left   []string `json:"left,omitempty"` // what the guest did not hand out, and why
	Fault  string   `json:"fault,omitempty"`
}

func (h Handed) String() string {
	s := fmt.Sprintf("%d files in %s", h.Number, h.Dir)
	if h.Number == 1 {
		s = "a file in " + h.Dir
	}
	switch {
	case h.Fault != "" && h.Number == 0:
		s = "none: " + h.Fault
	case h.Fault != "":
		s += ", and not all: " + h.Fault
	case h.Number == 0:
		s = "no files"
	}
	if len(h.Left) > 0 {
		s += "; left out: " + strings.Join(h.Left, ", ")
	}
	return s
}

// partial is the file that is being received. It gets its name when it is whole.
const partial = ".slipway-partial"

// collector writes the guest's files. It trusts in none of their names and sizes, and
// puts nothing but plain files and directories into its own.
type collector struct {
	mu    sync.Mutex
	most  int64
	root  *os.Root
	made  bool // the directory was not there before
	done  map[string]int64
	names map[string]bool // and the directories they lie in
	file  *os.File        // of now; nil: none
	now   port.File
	res   Handed
	ended bool // the guest says that there are no more
	over  bool // the machine is gone
}

// collect makes the directory. Without one that is asked for the collector is nil.
func collect(o Output) (*collector, error) {
	if o.Dir == "" {
		return nil, nil
	}
	if err := o.Check(); err != nil {
		return nil, err
	}
	c := &collector{most: o.Most, done: map[string]int64{}, names: map[string]bool{}, res: Handed{Dir: o.Dir}}
	err := os.Mkdir(o.Dir, 0o755)
	c.made = err == nil
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("output: %w", err)
	}
	if c.root, err = os.OpenRoot(o.Dir); err != nil {
		return nil, fmt.Errorf("output: %w", err)
	}
	return c, nil
}

// refuse takes the directory back of a machine that was not started.
func (c *collector) refuse() error {
	if c == nil {
		return nil
	}
	err := c.root.Close()
	if c.made {
		err = errors.Join(err, os.Remove(c.res.Dir))
	}
	return err
}

// take takes a piece. What fails here is told in the result; the guest is heard on.
func (c *collector) take(f *port.File) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.res.Fault != "" || c.over {
		return
	}
	if err := c.write(f); err != nil {
		c.fail(err)
	}
}

func (c *collector) fail(err error) {
	if c.res.Fault == "" {
		c.res.Fault = clean(err.Error())
	}
	if err := c.drop(); err != nil {
		c.res.Fault += ", " + clean(err.Error())
	}
}

// plainError is without the name that a file has while it is written.
func plainError(err error) error {
	if of, is := errors.AsType[*fs.PathError](err); is {
		return of.Err
	}
	return err
}

// drop removes a file that is not whole.
func (c *collector) drop() error {
	if c.file == nil {
		return nil
	}
	err := errors.Join(c.file.Close(), c.root.Remove(partial))
	c.file = nil
	return err
}

func (c *collector) write(f *port.File) error {
	if f.At == 0 {
		if err := c.begin(f); err != nil {
			return err
		}
	}
	if c.file == nil || f.Name != c.now.Name || f.Size != c.now.Size || f.At != c.now.At {
		return fmt.Errorf("%.100q: a piece at %d of %d bytes is out of place", f.Name, f.At, f.Size)
	}
	if f.At+int64(len(f.Data)) > f.Size {
		return fmt.Errorf("%s: more came than its %d bytes", f.Name, f.Size)
	}
	if c.bytes()-c.done[f.Name]+f.At+int64(len(f.Data)) > c.most {
		return fmt.Errorf("%s and what is beside it are more than %d bytes", f.Name, c.most)
	}
	if _, err := c.file.Write(f.Data); err != nil {
		return fmt.Errorf("write %s: %w", f.Name, plainError(err))
	}
	if c.now.At += int64(len(f.Data)); c.now.At < c.now.Size {
		return nil
	}
	return c.finish()
}

// bytes are those of the files that are whole.
func (c *collector) bytes() (sum int64) {
	for _, size := range c.done {
		sum += size
	}
	return sum
}

// begin makes the file, before it is whole by another name.
func (c *collector) begin(f *port.File) error {
	if err := c.drop(); err != nil {
		return err
	}
	if err := port.CheckName(f.Name); err != nil {
		return err
	}
	if strings.HasPrefix(f.Name, partial) {
		return fmt.Errorf("%s: the name is taken", f.Name)
	}
	if f.Size < 0 || f.Size > c.most {
		return fmt.Errorf("%s: it has more than %d bytes", f.Name, c.most)
	}
	for p := f.Name; p != "."; p = path.Dir(p) {
		c.names[p] = true
	}
	if len(c.names) > port.MaxFiles {
		return fmt.Errorf("more than %d files and directories", port.MaxFiles)
	}
	file, err := c.root.OpenFile(partial, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("write %s: %w", f.Name, plainError(err))
	}
	c.file, c.now = file, port.File{Name: f.Name, Size: f.Size}
	return nil
}

// finish gives a file its name. One of an earlier try to hand it out is replaced.
func (c *collector) finish() error {
	if err := c.file.Close(); err != nil {
		c.file = nil
		return errors.Join(fmt.Errorf("write %s: %w", c.now.Name, plainError(err)), c.root.Remove(partial))
	}
	c.file = nil
	err := c.root.MkdirAll(path.Dir(c.now.Name), 0o755)
	if err == nil {
		err = c.root.Rename(partial, c.now.Name)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", c.now.Name, plainError(err)), c.root.Remove(partial))
	}
	c.done[c.now.Name] = c.now.Size
	return nil
}

// end hears that there are no more.
func (c *collector) end(f *port.Files) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return
	}
	c.ended = true
	if err := c.drop(); err != nil { // what was begun is left out
		c.fail(err)
	}
	c.res.Left = cleanAll(f.Left[:min(len(f.Left), tailLines)])
	switch {
	case f.Fault != "":
		c.fail(errors.New(f.Fault))
	case len(c.done) < f.Number && c.res.Fault == "":
		c.fail(fmt.Errorf("%d of %d came", len(c.done), f.Number))
	}
}

// result is what has come, once nothing more will. Ending says how the machine ended.
func (c *collector) result(ending string) *Handed {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	switch {
	case !c.ended:
		c.fail(errors.New("the guest did not hand out what it had: " + ending))
	case c.file != nil:
		c.fail(fmt.Errorf("%s came in part: %s", c.now.Name, ending))
	}
	if err := c.root.Close(); err != nil {
		c.fail(err)
	}
	res := c.res
	res.Number, res.Bytes = len(c.done), c.bytes()
	return &res
}
