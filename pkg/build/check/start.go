package check

import (
	"bytes"
	"debug/elf"
	"io"
	"path"
	"strconv"
	"strings"

	"slipway/pkg/build/tree"
)

// starter looks for what the kernel needs to start a program: most often "no such
// file or directory" at boot means the interpreter and not the program.
type starter struct {
	root   *tree.Tree
	arch   string
	warn   func(format string, args ...any)
	hidden func(path string) bool // something may be mounted there
	path   string                 // PATH of the program
}

// check reads the beginning of a program.
func (s starter) check(n *tree.Node) {
	start := make([]byte, 256)
	size, err := n.Inode.Data.ReadAt(start, 0)
	if err != nil && err != io.EOF { //nolint:errorlint // ReaderAt gives EOF as it is
		return // reading the layer tells more
	}
	start = start[:min(int64(size), n.Inode.Size)]
	if line, ok := bytes.CutPrefix(start, []byte("#!")); ok {
		line, _, _ = bytes.Cut(line, []byte("\n"))
		s.checkScript(n, string(line))
		return
	}
	if bytes.HasPrefix(start, []byte(elf.ELFMAG)) {
		s.checkELF(n)
	}
}

// checkScript takes a #! line apart as the kernel does, at blanks and tabs alone: a
// carriage return belongs to the name.
func (s starter) checkScript(n *tree.Node, line string) {
	words := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' })
	if len(words) == 0 || !s.want(n, words[0]) {
		return
	}
	if s.path == "" || path.Base(words[0]) != "env" || len(words) != 2 || strings.ContainsAny(words[1], "=-/") {
		return
	}
	for dir := range strings.SplitSeq(s.path, ":") {
		if name := path.Join("/", dir, words[1]); s.hidden(name) || s.root.Resolve(name) != nil {
			return
		}
	}
	s.warn("/%s needs %s to start, which is not in its PATH, %s", n.Path(), shown(words[1]), s.path)
}

// machines are the programs that run on an architecture.
var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

func (s starter) checkELF(n *tree.Node) {
	file, err := elf.NewFile(io.NewSectionReader(n.Inode.Data, 0, n.Inode.Size))
	if err != nil {
		return // not an ELF file after all, or a broken one
	}
	if want, known := machines[s.arch]; known && file.Machine != want && file.Machine != elf.EM_386 {
		s.warn("/%s is a program for %s, and the machine is %s", n.Path(), strings.TrimPrefix(file.Machine.String(), "EM_"), s.arch)
		return
	}
	for _, p := range file.Progs {
		if p.Type != elf.PT_INTERP || p.Filesz > 4096 {
			continue
		}
		name, err := io.ReadAll(p.Open())
		if err == nil {
			s.want(n, string(bytes.TrimRight(name, "\x00")))
		}
	}
}

// want tells whether an interpreter is there.
func (s starter) want(n *tree.Node, name string) bool {
	if strings.HasPrefix(name, "/") && !s.hidden(name) && s.root.Resolve(name) == nil {
		s.warn("/%s needs %s to start, which the image does not have", n.Path(), shown(name))
		return false
	}
	return true
}

// shown is a name as it is, or quoted if it has what a terminal does not show.
func shown(name string) string {
	if q := strconv.Quote(name); q != `"`+name+`"` {
		return q
	}
	return name
}
