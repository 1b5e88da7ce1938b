package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"slipway/pkg/build/output"
	"slipway/pkg/qemu"
	"slipway/pkg/timeline"
)

// chart is the picture that --boot-chart asks for. The guest hands over what
// happened when; it is drawn here, so that no file of the guest's making lands
// on the host.
type chart struct {
	file, title string
	note        func(string)
	mu          sync.Mutex
	err         error
}

// errNoChart says what a guest needs for one.
var errNoChart = errors.New("the guest sent no timeline of its boot; that takes Slipway's init or service image in it, and the kernel's virtio_console driver")

// bootChart prepares the machine for a chart, or does nothing if none is asked
// for.
func (f *runFlags) bootChart(con *qemu.Console, note func(string)) *chart {
	if f.chartFile == "" {
		return nil
	}
	c := &chart{file: f.chartFile, title: f.config.Name, note: note, err: errNoChart}
	con.Timeline = c.receive
	return c
}

// checkChart finds out before the boot whether the file can be written.
func checkChart(file string) error {
	if file == "" {
		return nil
	}
	if info, err := os.Stat(file); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("boot chart: %s is no file", file)
	}
	if err := checkDirectory(file); err != nil {
		return fmt.Errorf("boot chart: %w", err)
	}
	return nil
}

// checkPlace tells whether a file can be written, or made where it is to lie; "" is
// none.
func checkPlace(file string) error {
	info, err := os.Stat(file)
	switch {
	case file == "":
		return nil
	case err != nil:
		return checkDirectory(file)
	case info.IsDir():
		return fmt.Errorf("%s is a directory", file)
	}
	return nil // a file, a pipe, or a terminal: opening it tells
}

// checkDirectory tells whether files can be made beside a file.
func checkDirectory(file string) error {
	if err := unix.Access(filepath.Dir(file), unix.W_OK); err != nil {
		return fmt.Errorf("directory %s: %w", filepath.Dir(file), err)
	}
	return nil
}

// receive draws the timeline that the guest sent. One that comes later, of a
// machine that rebooted, takes the place of the one before.
func (c *chart) receive(data []byte) {
	err := c.draw(data)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err = err; err == nil {
		c.note("boot chart: " + c.file)
	}
}

func (c *chart) draw(data []byte) error {
	spans, err := timeline.Read(bytes.NewReader(data))
	if err != nil {
		return err
	}
	var svg bytes.Buffer
	if err := timeline.Plot(&svg, c.title, spans); err != nil {
		return err
	}
	return replaceFile(c.file, svg.Bytes())
}

// replaceFile writes a file that is there as a whole, or as it was; to what is no
// file it writes.
func replaceFile(name string, data []byte) error {
	to := &output.Target{File: name, Stdout: os.Stdout}
	err := to.WriteFile("", func(w *os.File) error {
		_, err := w.Write(data)
		return err
	})
	if err == nil {
		_, err = to.Commit()
	}
	if err != nil {
		return errors.Join(err, to.Discard())
	}
	return nil
}

// result is what came of a chart once the machine has ended.
func (c *chart) result() error {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return fmt.Errorf("no boot chart: %w", c.err)
	}
	return nil
}
