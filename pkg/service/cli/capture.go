package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"slipway/pkg/service/control"
)

// maxCapture bounds each of the streams that --json shows.
const maxCapture = 1 << 20

// execResult is the JSON of a program that has run.
type execResult struct {
	Name      string `json:"name"`
	Exit      int    `json:"exit_status"`
	Stdout    string `json:"stdout"`
	Stderr    string `json:"stderr"`
	Truncated bool   `json:"truncated,omitempty"`
}

// execJSON runs a program and shows what became of it as data.
func execJSON(c *call, p control.Program) error {
	p.Terminal = false
	var streams [2]capture
	for i := range streams {
		w, err := streams[i].open()
		if err != nil {
			return err
		}
		p.Files[i+1] = w
	}
	status, err := c.execute(p)
	for i := range streams {
		err = errors.Join(err, p.Files[i+1].Close())
		<-streams[i].done
	}
	if err != nil {
		return err
	}
	r := execResult{c.args[0], status.ExitCode(), streams[0].text.String(), streams[1].text.String(),
		streams[0].more || streams[1].more}
	if err := writeJSON(c, r); err != nil || r.Exit == 0 {
		return err
	}
	return exitStatus(r.Exit)
}

// capture keeps the beginning of what is written to a pipe.
type capture struct {
	text bytes.Buffer
	more bool
	done chan struct{}
}

func (t *capture) open() (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("capture output: %w", err)
	}
	t.done = make(chan struct{})
	go func() {
		defer close(t.done)
		defer r.Close()
		if _, err := io.CopyN(&t.text, r, maxCapture); err != nil {
			return
		}
		n, err := io.Copy(io.Discard, r)
		t.more = n > 0 || err != nil
	}()
	return w, nil
}
