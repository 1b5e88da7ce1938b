package oci

import (
	"fmt"
	"strings"
)

// Renames are beginnings of names, as they are written, and what stands for them.
type Renames map[string]string

// ParseRenames reads FROM=TO, both parts of a name that end before a slash.
func ParseRenames(list []string) (Renames, error) {
	all := Renames{}
	for _, text := range list {
		from, to, _ := strings.Cut(text, "=")
		from, to = strings.TrimSuffix(from, "/"), strings.TrimSuffix(to, "/")
		if from == "" || to == "" || strings.ContainsAny(from+to, "@= ") || strings.Contains(to, "://") {
			return nil, fmt.Errorf("rename %q: want FROM=TO, such as slipway=registry.example/team", text)
		}
		all[from] = to
	}
	return all, nil
}

// apply renames by the longest beginning that fits, once.
func (r Renames) apply(name string) string {
	for from := name; ; {
		end := strings.LastIndex(from, "/")
		if end < 0 {
			return name
		}
		from = from[:end]
		if to, ok := r[from]; ok {
			return to + name[end:]
		}
	}
}
