package bundle

import (
	"bytes"
	"slices"
	"sync"
)

// known are filters that were read. A filter is four fifths of a config.json, and most
// bundles of a machine have the same one: its text is read by the readers of JSON once.
var known knownFilters

type knownFilters struct {
	mu  sync.Mutex
	all []Filter
}

// maxKnown bounds what is compared and kept; containers differ in few ways.
const maxKnown = 8

// mark stands in a text for the filter that was cut out of it. As a filter of an image's
// own it has no action, so no runtime takes it.
const mark = `{"SLIPWAY_CUT":true}`

var cutMark = NewFilter([]byte(mark))

// add has a filter known that was read with all checks. In one of several lines, errors
// behind it would have another line.
func (k *knownFilters) add(f Filter) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !f.None() && f != cutMark && len(k.all) < maxKnown && !slices.Contains(k.all, f) && !bytes.ContainsRune([]byte(f.text.Value()), '\n') {
		k.all = append(k.all, f)
	}
}

// cut puts the mark where a known filter stands, byte for byte, as a member's value,
// and returns that filter. What the member is part of is for the reader to see.
func (k *knownFilters) cut(data []byte) ([]byte, Filter) {
	member := []byte(`"seccomp":`)
	at := bytes.Index(data, member)
	if at < 0 || bytes.Contains(data, []byte(mark)) {
		return data, Filter{}
	}
	at += len(member)
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, f := range k.all {
		text := f.text.Value()
		if len(data)-at >= len(text) && string(data[at:at+len(text)]) == text {
			return slices.Concat(data[:at], []byte(mark), data[at+len(text):]), f
		}
	}
	return data, Filter{}
}
