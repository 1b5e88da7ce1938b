// Package layout says what the log of a container consists of and where that lies:
// LinuxKit's files, the index beside them, and what of both is in memory.
package layout

import (
	"path/filepath"

	"slipway/pkg/bundle"
)

// Stream is one of the two outputs of a container. 0 is none.
type Stream uint8

// The two streams.
const (
	Stdout Stream = 1
	Stderr Stream = 2
)

func (s Stream) String() string {
	if s == Stdout {
		return "stdout"
	}
	return "stderr"
}

// Streams are both.
var Streams = []Stream{Stdout, Stderr}

// Paths says where things lie; the zero value is a LinuxKit machine's layout.
type Paths struct {
	Run     string // default /run: pipes, onboot logs, what memory alone keeps
	Log     string // default /var/log: logs of services, and the links
	Memlogd string // default /run/linuxkit-external-logging.sock
	Kmsg    string // default /dev/kmsg
}

// OrDefault has the defaults in place of what is empty.
func (p Paths) OrDefault() Paths {
	set := func(v *string, def string) {
		if *v == "" {
			*v = def
		}
	}
	set(&p.Run, "/run")
	set(&p.Log, "/var/log")
	set(&p.Memlogd, "/run/linuxkit-external-logging.sock")
	set(&p.Kmsg, "/dev/kmsg")
	return p
}

// nameOf is what LinuxKit calls the log of a container: "onboot.000-dhcp",
// "shutdown.000-bye", "sshd". With ".out" behind it, it is the log of the
// standard output; bare, that of the standard error.
func nameOf(s bundle.Section, directory string) string {
	switch s {
	case bundle.Onboot:
		return "onboot." + directory
	case bundle.Onshutdown:
		return "shutdown." + directory
	}
	return directory
}

// Places are the files of one container.
type Places struct {
	Name   string
	Dir    string // of the files with the output
	Meta   string // of their index
	Memory string // of what lies in memory: the pipes, and what came out of them
}

// own is the directory of what is ours alone and gone with the power.
func (p Paths) own() string { return filepath.Join(p.Run, "slipway", "logs") }

// Section is where output goes that is to be kept as files.
func (p Paths) Section(s bundle.Section, directory string) Places {
	at := Places{Name: nameOf(s, directory), Memory: p.own(), Meta: filepath.Join(p.own(), "files")}
	switch s {
	case bundle.Onboot:
		at.Dir = filepath.Join(p.Run, "log", "onboot")
	case bundle.Onshutdown:
		at.Dir = filepath.Join(p.Run, "log", "shutdown")
	default:
		at.Dir, at.Meta = p.Log, filepath.Join(p.Log, "slipway")
	}
	return at
}

// Base is LinuxKit's name of a stream: NAME.out, or NAME for the standard error.
func (at Places) Base(s Stream) string {
	if s == Stdout {
		return at.Name + ".out"
	}
	return at.Name
}

// File is the one that a stream goes to now; rotate.Old has the older ones.
func (at Places) File(s Stream) string { return filepath.Join(at.Dir, at.Base(s)+".log") }

// Index is that of the files.
func (at Places) Index() string { return filepath.Join(at.Meta, at.Name+".idx") }

// Fifo is the pipe that the container writes to.
func (at Places) Fifo(s Stream) string { return filepath.Join(at.Memory, at.Base(s)+".fifo") }

// Spool is what of a stream is in memory.
func (at Places) Spool(s Stream) string { return filepath.Join(at.Memory, at.Base(s)+".spool") }

// SpoolIndex is the index of what is in memory.
func (at Places) SpoolIndex() string { return filepath.Join(at.Memory, at.Name+".idx") }

// Shown says how far of a stream the consoles have been shown.
func (at Places) Shown(s Stream) string { return filepath.Join(at.Memory, at.Base(s)+".shown") }
