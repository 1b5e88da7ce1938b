package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"slipway/pkg/qemu"
)

const bootsYAML = head + `onboot:
  - {name: first, image: "slipway/busybox:v0.1", command: ["/bin/true"]}
  - {name: second, image: "slipway/busybox:v0.1", readonly: true, command: ["/bin/echo", "second: ran"]}
onshutdown:
  - {name: bye, image: "slipway/busybox:v0.1", command: ["/bin/echo", "bye: ran"]}
services:
  - {name: one, image: "slipway/busybox:v0.1", command: ["/bin/sleep", "100000"]}
  - {name: two, image: "slipway/busybox:v0.1", readonly: true, command: ["/bin/sleep", "100000"], annotations: {slipway.after: one}}
`

// boots boots a machine again and again. How long that takes is told, and never
// a fault: the host may be busy.
func (s *soak) boots(t *tally) error {
	image, err := s.image(context.Background(), "boots", bootsYAML, nil)
	if err != nil {
		return err
	}
	var took []time.Duration
	for i := range t.wanted {
		began := time.Now()
		t.result(fmt.Sprintf("boot %d", i+1), s.boot(filepath.Join(s.dir, fmt.Sprintf("boots-%d", i+1)), image))
		took = append(took, time.Since(began))
	}
	if len(took) > 0 {
		slices.Sort(took)
		t.note("processors %d; median %s, p99 %s", s.cpus, took[len(took)/2].Round(time.Millisecond), took[len(took)*99/100].Round(time.Millisecond))
	}
	return nil
}

func (s *soak) boot(dir string, image qemu.Boot) error {
	expect := []*regexp.Regexp{regexp.MustCompile(`^second: ran`), regexp.MustCompile(`^bye: ran`)}
	m, err := s.start(dir, image, "slipway.report=poweroff", qemu.Watch{Report: true})
	if err != nil {
		return err
	}
	res := m.Wait()
	var fault error
	if res.Report != "ok" {
		fault = fmt.Errorf("reported %q", res.Report)
	}
	for _, e := range expect {
		if !m.shows(e) {
			fault = errors.Join(fault, fmt.Errorf("%s never came", e))
		}
	}
	return m.finish(qemu.PoweredOff, fault)
}
