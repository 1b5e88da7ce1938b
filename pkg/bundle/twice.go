package bundle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// free are objects of the formats whose members have names that somebody else has
// given: there capital letters make a difference.
var free = []string{"annotations", "sysctl", "unified", "rdma", "netDevices"}

// checkTwice refuses an object that has a member twice, or once more in other
// letters. Readers differ in which of them counts (encoding/json, with which runc and
// this package read, takes the last, or joins objects, and does not mind capital letters), so
// who looks at the file and who runs it would see different containers. The text is known
// to be JSON.
func checkTwice(name string, data []byte) error {
	w := walk{data: data}
	if err := w.value(); err != nil {
		return fmt.Errorf("%s:%d: %w", name, line(data, int64(w.at)), err)
	}
	return nil
}

// walk goes over JSON, of which only the names of members matter.
type walk struct {
	data  []byte
	at    int
	open  []object // the innermost last
	names [][]byte // of all that are open
}

type object struct {
	first int  // of its names, if it has few
	exact bool // its names are free
	seen  map[string]bool
}

func (w *walk) value() error {
	var name []byte
	for ; w.at < len(w.data); w.at++ {
		switch w.data[w.at] {
		case '{', '[':
			exact := slices.ContainsFunc(free, func(f string) bool { return bytes.EqualFold(name, []byte(f)) })
			w.open = append(w.open, object{first: len(w.names), exact: exact})
			name = nil
		case '}', ']':
			last := len(w.open) - 1
			w.open, w.names = w.open[:last], w.names[:w.open[last].first]
		case '"':
			text := w.text()
			if !w.isName() {
				continue
			}
			if name = text; !w.first(name) {
				return fmt.Errorf("%q is there twice", name)
			}
		}
	}
	return nil
}

// text is what stands between two quotes. The walk is at the second of them afterwards.
func (w *walk) text() []byte {
	from := w.at
	for w.at++; w.data[w.at] != '"'; w.at++ {
		if w.data[w.at] == '\\' {
			w.at++
		}
	}
	inner := w.data[from+1 : w.at]
	var plain string
	if bytes.IndexByte(inner, '\\') < 0 || json.Unmarshal(w.data[from:w.at+1], &plain) != nil {
		return inner
	}
	return []byte(plain)
}

// isName tells whether the text that ends here is the name of a member.
func (w *walk) isName() bool {
	rest := bytes.TrimLeft(w.data[w.at+1:], " \t\r\n")
	return len(rest) > 0 && rest[0] == ':'
}

// few names are compared with each other, which takes no memory.
const few = 16

// first notes a name of the innermost object, and tells whether it had none like it.
func (w *walk) first(name []byte) bool {
	o := &w.open[len(w.open)-1]
	names := w.names[o.first:]
	if len(names) < few {
		w.names = append(w.names, name)
		return !slices.ContainsFunc(names, func(n []byte) bool { return o.same(n, name) })
	}
	if o.seen == nil {
		o.seen = map[string]bool{}
		for _, n := range names {
			o.seen[o.key(n)] = true
		}
	}
	key := o.key(name)
	was := o.seen[key]
	o.seen[key] = true
	return !was
}

func (o *object) same(a, b []byte) bool {
	if o.exact {
		return bytes.Equal(a, b)
	}
	return bytes.EqualFold(a, b)
}

// key is the same for names that are.
func (o *object) key(name []byte) string {
	if o.exact {
		return string(name)
	}
	return strings.ToLower(strings.ToUpper(string(name)))
}
