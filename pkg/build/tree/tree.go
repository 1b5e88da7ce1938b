// Package tree is a file system that exists only as a list of what is in it.
//
// The builder lays images over each other here, drops what LinuxKit drops and
// adds bundles and files, and hands the result to package output. Nothing is
// ever unpacked: names and attributes are in memory, the content of files
// stays where it lies (in a layer, in a blob) and is read when it is written
// out. So no path in an image, however hostile, can name anything on the host,
// and an image of a gigabyte takes a few megabytes here.
package tree

import (
	"archive/tar"
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// Entry is what is known of a path beyond its name.
type Entry struct {
	// Type is one of archive/tar's flags: TypeReg, TypeDir, TypeSymlink,
	// TypeChar, TypeBlock, TypeFifo.
	Type byte
	// Mode holds the permission bits with setuid, setgid and sticky, as in tar.
	Mode         int64
	UID, GID     int
	ModTime      time.Time
	Link         string // target of a symbolic link
	Major, Minor int64  // of a device
	Xattrs       map[string]string
	Inode        *Inode // content of a regular file
	Origin       *Origin
}

// Inode is the content of a regular file; hard links share one.
type Inode struct {
	Size int64
	Data io.ReaderAt
}

// Text is the inode of a file that the builder itself writes.
func Text(s string) *Inode { return &Inode{Size: int64(len(s)), Data: strings.NewReader(s)} }

// Open reads the content from its start.
func (i *Inode) Open() io.Reader { return io.NewSectionReader(i.Data, 0, i.Size) }

// Origin says where an entry comes from.
type Origin struct {
	Image    string // image name, or empty for what the builder makes
	Location string // place in the YAML, such as "onboot[0]"
	Layer    string // of the image, such as "layer 2 (sha256:0123456789ab)"; for messages
}

// Node is an entry in its place.
type Node struct {
	Entry
	Name   string
	Parent *Node
	// Before are the entries this one has replaced. LinuxKit's tar holds them
	// too, and the last one wins.
	Before []Entry

	children map[string]*Node
	seq      int
	layer    int
	opaque   int // the layer that has hidden all below it
	length   int // of the path
}

// Tree is a file system. The zero value is not usable; see New.
type Tree struct {
	// Scratch makes the file that sparse files are expanded to. Whoever sets it
	// closes the file when the tree is not read any more.
	Scratch func() (*os.File, error)

	scratch  *os.File
	expanded int64 // bytes of sparse files

	root  *Node
	next  int
	layer int
	count int
	read  int   // entries of tars
	made  int   // directories that no entry names
	names int64 // bytes of their names, links and attributes
	// rooted tells that a tar has an entry for the root itself.
	rooted bool
}

// New makes a tree that holds only its root directory.
func New() *Tree {
	root := &Node{Entry: Entry{Type: tar.TypeDir, Mode: 0o755}, children: map[string]*Node{}}
	return &Tree{root: root}
}

// Clone is a tree of its own with the same entries.
func (t *Tree) Clone() *Tree {
	c := *t
	c.root = t.root.clone(nil)
	return &c
}

func (n *Node) clone(parent *Node) *Node {
	c := *n
	c.Parent = parent
	if n.children != nil {
		c.children = make(map[string]*Node, len(n.children))
	}
	for name, child := range n.children {
		c.children[name] = child.clone(&c)
	}
	return &c
}

// Len is the number of entries below the root.
func (t *Tree) Len() int { return t.count }

// Path is the node's path without a leading slash, "" for the root.
func (n *Node) Path() string {
	if n.Parent == nil {
		return ""
	}
	if p := n.Parent.Path(); p != "" {
		return p + "/" + n.Name
	}
	return n.Name
}

// IsDir tells whether the node is a directory.
func (n *Node) IsDir() bool { return n.Type == tar.TypeDir }

// Children lists the names in a directory, sorted.
func (n *Node) Children() []*Node {
	list := make([]*Node, 0, len(n.children))
	for _, c := range n.children {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b *Node) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// Nodes lists everything below the root in the order it was put there, which
// for images is the order of their layers. A directory always precedes what it
// holds: the kernel drops a file of a cpio archive whose directory comes later.
func (t *Tree) Nodes() []*Node {
	list := make([]*Node, 0, t.count)
	var walk func(*Node)
	walk = func(n *Node) {
		for _, c := range n.children {
			list = append(list, c)
			walk(c)
		}
	}
	walk(t.root)
	slices.SortFunc(list, func(a, b *Node) int { return cmp.Compare(a.seq, b.seq) })
	return list
}

// Epoch is the time of everything the builder itself makes, as in LinuxKit's
// images, so that the same inputs give the same bytes.
var Epoch = time.Date(2017, 4, 18, 16, 30, 0, 0, time.UTC)

// Linux' NAME_MAX and PATH_MAX: the kernel leaves out what is longer.
const (
	maxName = 255
	maxPath = 4096
)

func (t *Tree) add(parent *Node, name string, e Entry) (*Node, error) {
	if len(name) > maxName || strings.ContainsRune(name, 0) {
		return nil, fmt.Errorf("%s: a name longer than %d bytes or with a null in it", shorten(name), maxName)
	}
	length := parent.length + 1 + len(name)
	if length > maxPath {
		return nil, fmt.Errorf("a path of more than %d bytes", maxPath)
	}
	t.next++
	t.count++
	n := &Node{Entry: e, Name: name, Parent: parent, seq: t.next, layer: t.layer, length: length}
	if e.Type == tar.TypeDir {
		n.children = map[string]*Node{}
	}
	parent.children[name] = n
	return n, nil
}

func (t *Tree) drop(n *Node) {
	t.count -= n.size()
	delete(n.Parent.children, n.Name)
}

// Below is the number of entries below the node.
func (n *Node) Below() int { return n.size() - 1 }

func (n *Node) size() int {
	total := 1
	for _, c := range n.children {
		total += c.size()
	}
	return total
}

// split cleans a path to its elements. A path that leaves the tree by ".." is
// an error, not a surprise: no sound image has one.
func split(path string) ([]string, error) {
	var out []string
	for p := range strings.SplitSeq(path, "/") {
		switch p {
		case "", ".":
		case "..":
			if len(out) == 0 {
				return nil, fmt.Errorf("path %q leads out of the image", path)
			}
			out = out[:len(out)-1]
		default:
			out = append(out, p)
		}
	}
	return out, nil
}
