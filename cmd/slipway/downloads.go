package main

import (
	"fmt"
	"time"

	"slipway/pkg/build/oci"
)

// downloads are all that have been begun; their sum is what a terminal shows.
type downloads struct {
	active      int
	done, total int64
}

// Start implements oci.Progress.
func (p *progress) Start(what string, have, total int64) oci.Transfer {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.running.active++
	p.running.done += have
	p.running.total += total
	if !p.terminal {
		line := "fetching " + what + ", " + size(total)
		if have > 0 {
			line += ", of which " + size(have) + " are here already"
		}
		p.show(line)
	}
	return &download{p: p, at: have}
}

// download is one of them.
type download struct {
	p  *progress
	at int64
}

// At implements oci.Transfer.
func (d *download) At(bytes int64) {
	d.p.lock.Lock()
	defer d.p.lock.Unlock()
	r := &d.p.running
	r.done += bytes - d.at
	d.at = bytes
	if d.p.terminal && time.Since(d.p.shown) > 100*time.Millisecond {
		d.p.show(fmt.Sprintf("fetching %d layers: %s of %s", r.active, size(r.done), size(r.total)))
	}
}

// Close implements oci.Transfer.
func (d *download) Close() {
	d.p.lock.Lock()
	defer d.p.lock.Unlock()
	d.p.running.active--
	if d.p.running.active == 0 {
		d.p.running = downloads{}
	}
}
