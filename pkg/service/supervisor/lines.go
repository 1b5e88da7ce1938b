package supervisor

import (
	"bytes"
	"context"
	"fmt"
	"os"

	"slipway/pkg/log/journal"
	"slipway/pkg/log/read"
	"slipway/pkg/port"
)

// Sources of lines that are no containers: what our own programs say, and the
// kernel's log.
const (
	fromSlipway = "slipway"
	fromKernel  = "kernel"
)

// follow sends the host the lines of those that it names, from the first line of
// this boot on. They come from where a container's output is stored, so that no
// other can have written them.
func (s *Supervisor) follow(names []string) {
	for _, name := range names {
		if s.following[name] {
			continue
		}
		if s.following == nil {
			s.following = map[string]bool{}
		}
		s.following[name] = true
		go func() {
			if err := s.followOne(name); err != nil {
				s.Guest.Say("lines of %s for the host: %s", name, err)
			}
		}()
	}
}

// followOne returns only if it cannot go on: what services say while they stop is
// wanted as well.
func (s *Supervisor) followOne(name string) error {
	send := func(text string) {
		s.Guest.Tell(port.Message{Line: &port.Line{From: name, Text: text}})
	}
	ctx := context.Background()
	switch name {
	case fromSlipway:
		return s.followJournal(ctx, send)
	case fromKernel:
		return followKernel("/dev/kmsg", send)
	}
	section, directory, _, err := s.Guest.Paths.Find(name)
	if err != nil {
		return err
	}
	for line, err := range read.Read(ctx, s.Guest.Paths.Logs(), section, directory, read.Query{Follow: true}) {
		if err != nil {
			return err
		}
		send(string(line.Text))
	}
	return nil
}

func (s *Supervisor) followJournal(ctx context.Context, send func(string)) error {
	c, err := s.Guest.Paths.Carrier()
	if err != nil {
		return err
	}
	c.Follow(ctx, func(l journal.Line, lineErr error) bool {
		if err = lineErr; err == nil {
			send(l.Text)
		}
		return err == nil
	})
	return err
}

// followKernel reads the kernel's log, a record at a time: "PRIORITY,...;TEXT"
// and lines of more. Programs can write into that log, too, but not with a
// priority below 8: that is the kernel's own.
func followKernel(path string, send func(string)) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("follow kernel log: %w", err)
	}
	defer f.Close() // only read from
	record := make([]byte, 8<<10)
	for {
		n, err := f.Read(record)
		if err != nil {
			return fmt.Errorf("follow kernel log: %w", err)
		}
		if text, ok := kernelText(record[:n]); ok {
			send(text)
		}
	}
}

func kernelText(record []byte) (string, bool) {
	head, text, found := bytes.Cut(record, []byte(";"))
	priority, _, _ := bytes.Cut(head, []byte(","))
	if !found || len(priority) != 1 || priority[0] < '0' || priority[0] > '7' {
		return "", false
	}
	text, _, _ = bytes.Cut(text, []byte("\n"))
	return string(text), true
}
