package bundle

import (
	"fmt"
	"strings"

	"slipway/pkg/escape"
)

// maxName is the longest name of a container, in bytes. File names have 255,
// of which a log's take the rest: "onboot.000-NAME.out.log.9999999999".
const maxName = 200

// NamePattern is what CheckName takes, as a regular expression for editors.
const NamePattern = `^[A-Za-z0-9_+][A-Za-z0-9_+.-]{0,199}$`

// NameWords is the same in words.
const NameWords = "letters, digits, and + - _ . with none of - and . in front, 200 at most"

// CheckName tells whether a container can have this name. It becomes a file's
// name and the id of the OCI runtime, whose grammar it is but for the comma,
// which parts names in lists, and for what would be taken for an option or a
// hidden file.
func CheckName(name string) error {
	switch {
	case len(name) > maxName:
		return fmt.Errorf("a name of %d bytes; want %s", len(name), NameWords)
	case name == "", name[0] == '-', name[0] == '.', strings.ContainsFunc(name, notInNames):
		return fmt.Errorf(`name "%s"; want %s`, shown(name), NameWords)
	}
	return nil
}

func notInNames(r rune) bool {
	letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
	return !letter && !strings.ContainsRune("_+.-", r)
}

// shown is a directory's name as List gives it: one that could not be printed
// is escaped. The backslash makes it a name that CheckName refuses.
func shown(name string) string {
	return strings.ReplaceAll(escape.Text(name), "\t", `\t`)
}
