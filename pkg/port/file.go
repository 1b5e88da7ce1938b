package port

import (
	"fmt"
	"io/fs"
	"strings"
	"unicode"
	"unicode/utf8"
)

// File is a piece of a file that the guest hands out. Those of one file come in their
// order; the first, At 0, ends what another file lacks.
type File struct {
	Name string `json:"name"` // a path that CheckName takes
	Size int64  `json:"size"` // of the whole file, in bytes
	At   int64  `json:"at,omitempty"`
	Data []byte `json:"data,omitempty"`
}

// Last tells whether the file is whole with this piece.
func (f *File) Last() bool { return f.At+int64(len(f.Data)) == f.Size }

// Files comes behind the last file.
type Files struct {
	Number int `json:"number"`
	// Left are files that are not handed out, each with the reason.
	Left []string `json:"left,omitempty"`
	// Fault is why not all came that should have.
	Fault string `json:"fault,omitempty"`
}

// Bounds of what a guest hands out. Their bytes are the host's to bound: Request.Output.
const (
	MaxFiles = 4096 // files, and the directories they are in
	MaxDepth = 32   // names in a path
	maxName  = 1024 // bytes of a path
	maxPart  = 255
	// FilePiece is how much of a file goes into a message.
	FilePiece = 64 << 10
)

// CheckName says what is wrong with the name of a file: on the host it must stay in its
// directory, and do no harm to who lists it.
func CheckName(name string) error {
	if !fs.ValidPath(name) || name == "." {
		return fmt.Errorf("%q is no path in a directory", name)
	}
	parts := strings.Split(name, "/")
	if len(name) > maxName || len(parts) > MaxDepth {
		return fmt.Errorf("%.100q...: the path is too long", name)
	}
	for _, part := range parts {
		if len(part) > maxPart {
			return fmt.Errorf("%.100q...: the name is too long", part)
		}
	}
	if !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) || r == '\\' }) {
		return fmt.Errorf("%q: the name cannot be shown as it is", name)
	}
	return nil
}
