package hostile

import (
	"maps"
	"slices"
	"strings"
)

// set puts a value at a dotted path, of runtime.json if it begins with
// "runtime:".
func set(b *Bundle, at string, value any) {
	in := b.Config
	if rest, is := strings.CutPrefix(at, "runtime:"); is {
		in, at = b.Runtime, rest
	}
	for {
		key, rest, more := strings.Cut(at, ".")
		if !more {
			in[key] = value
			return
		}
		sub, is := in[key].(JSON)
		if !is {
			sub = JSON{}
			in[key] = sub
		}
		in, at = sub, rest
	}
}

func keys(m map[string][]any) []string { return slices.Sorted(maps.Keys(m)) }
