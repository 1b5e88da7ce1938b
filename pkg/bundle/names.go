package bundle

import (
	"errors"
	"fmt"
	"strings"

	"slipway/pkg/escape"
)

// maxName is the longest name of a container, in bytes. File names have 255,
// of which a log's take the rest: "onboot.000-NAME.out.log.9999999999".
const maxName = 200

// nameWant says what CheckName takes.
const nameWant = "letters, digits and _ . + , - with a letter, digit or _ in front, 200 at most"

// CheckName tells whether a container can have this name. It becomes a file's
// name and the id of the OCI runtime, whose grammar it is but for what would be
// taken for an option or is a file's name already.
func CheckName(name string) error {
	switch {
	case name == "":
		return errors.New("the name is empty; want " + nameWant)
	case len(name) > maxName:
		return fmt.Errorf("the name has %d bytes; want %s", len(name), nameWant)
	case !wordByte(name[0]):
		return fmt.Errorf("name %q begins with %q; want %s", name, first(name), nameWant)
	}
	for _, r := range name {
		if !strings.ContainsRune("_.+,-", r) && (r > 0x7f || !wordByte(byte(r))) {
			return fmt.Errorf("name %q has %q in it; want %s", name, r, nameWant)
		}
	}
	return nil
}

func wordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}

func first(s string) rune {
	for _, r := range s {
		return r
	}
	return 0
}

// shown is a directory's name as List gives it: one that could not be printed
// is escaped. The backslash makes it a name that CheckName refuses.
func shown(name string) string {
	if strings.ContainsRune(name, '\t') {
		name = strings.ReplaceAll(name, "\t", `\t`)
	}
	return escape.Text(name)
}
