package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"

	"slipway/pkg/service/state"
	"slipway/pkg/service/supervisor"
)

func eventsFlags(f *flag.FlagSet, o *options) {
	jsonFlag(f, o)
	f.BoolVar(&o.follow, "f", false, "wait for more")
}

// followPause is how often a follower looks for more; it is the one that pays.
const followPause = 200 * time.Millisecond

// runEvents shows the transitions of all services, or of the ones named.
func runEvents(c *call) error {
	if err := c.knowAll(); err != nil {
		return err
	}
	path := supervisor.EventsPath(c.paths)
	if old, err := os.Open(path + ".0"); err == nil {
		err := c.showEvents(bufio.NewReader(old))
		if err := errors.Join(err, old.Close()); err != nil {
			return err
		}
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) && !c.follow {
		c.nothing("no events")
		return nil
	}
	if err != nil {
		return fmt.Errorf("read events: %w", err)
	}
	defer f.Close()
	in := bufio.NewReader(f)
	for {
		if err := c.showEvents(in); err != nil || !c.follow {
			if err == nil && !c.shown {
				c.nothing("no events")
			}
			return err
		}
		time.Sleep(followPause)
		if next := reopened(f, path); next != nil {
			if err := errors.Join(c.showEvents(in), f.Close()); err != nil {
				return err
			}
			f, in = next, bufio.NewReader(next)
		}
	}
}

// knowAll finds a name that is no service's, as far as anybody can tell.
func (c *call) knowAll() error {
	if len(c.args) == 0 {
		return nil
	}
	l, err := fetch(c)
	if err != nil {
		return nil // what the files have is shown all the same
	}
	var names []string
	for _, s := range l.Services {
		names = append(names, s.Name)
	}
	for _, a := range c.args {
		if !slices.Contains(names, a) {
			return unknownName(a, names)
		}
	}
	return nil
}

// reopened opens a file anew if another one has taken its place.
func reopened(f *os.File, path string) *os.File {
	a, err := f.Stat()
	if err != nil {
		return nil
	}
	next, err := os.Open(path)
	if err != nil {
		return nil
	}
	if b, err := next.Stat(); err == nil && !os.SameFile(a, b) {
		return next
	}
	next.Close()
	return nil
}

// showEvents shows the whole lines that there are. One that is cut short, by a
// full disk, is passed over.
func (c *call) showEvents(in *bufio.Reader) error {
	for {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read events: %w", err)
		}
		var t state.Transition
		if json.Unmarshal(line, &t) != nil || len(c.args) > 0 && !slices.Contains(c.args, t.Name) {
			continue
		}
		c.shown = true
		if c.json {
			say(c.out, "%s", line)
			continue
		}
		say(c.out, "%s %-16s %s -> %s", when(t.Time), t.Name, t.From, t.To)
		if t.Cause != "" {
			say(c.out, " (%s)", t.Cause)
		}
		say(c.out, "\n")
	}
}
