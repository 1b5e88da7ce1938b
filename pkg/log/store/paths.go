package store

import (
	"path/filepath"

	"slipway/pkg/bundle"
)

// Stream is one of the two outputs of a container.
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

// streamsOf are both.
var streamsOf = []Stream{Stdout, Stderr}

// Paths says where things lie; the zero value is a LinuxKit machine's layout.
type Paths struct {
	Run     string // default /run: pipes, onboot logs, what memory alone keeps
	Log     string // default /var/log: logs of services, and the links
	Memlogd string // default /run/linuxkit-external-logging.sock
	Kmsg    string // default /dev/kmsg
}

func (p Paths) orDefault() Paths {
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

// Name is what LinuxKit calls the log of a container: "onboot.000-dhcp",
// "shutdown.000-bye", "sshd". With ".out" behind it, it is the log of the
// standard output; bare, that of the standard error.
func Name(s bundle.Section, folder string) string {
	switch s {
	case bundle.Onboot:
		return "onboot." + folder
	case bundle.Onshutdown:
		return "shutdown." + folder
	}
	return folder
}

// places are the files of one container.
type places struct {
	name string
	dir  string // of the files with the output
	meta string // of their index
	pipe string // of what lies in memory: the pipes, and what came out of them
}

// own is the folder of what is ours alone and gone with the power.
func (p Paths) own() string { return filepath.Join(p.Run, "slipway", "logs") }

// section is where output goes that is to be kept as files.
func (p Paths) section(s bundle.Section, folder string) places {
	at := places{name: Name(s, folder), pipe: p.own(), meta: filepath.Join(p.own(), "files")}
	switch s {
	case bundle.Onboot:
		at.dir = filepath.Join(p.Run, "log", "onboot")
	case bundle.Onshutdown:
		at.dir = filepath.Join(p.Run, "log", "shutdown")
	default:
		at.dir, at.meta = p.Log, filepath.Join(p.Log, "slipway")
	}
	return at
}

func (at places) base(s Stream) string {
	if s == Stdout {
		return at.name + ".out"
	}
	return at.name
}

func (at places) file(s Stream) string { return filepath.Join(at.dir, at.base(s)+".log") }
func (at places) fifo(s Stream) string { return filepath.Join(at.pipe, at.base(s)+".fifo") }
func (at places) index() string        { return filepath.Join(at.meta, at.name+".idx") }

// The files of a spool, and how far of a stream a console has been shown.

func (at places) spool(s Stream) string { return filepath.Join(at.pipe, at.base(s)+".spool") }
func (at places) shown(s Stream) string { return filepath.Join(at.pipe, at.base(s)+".shown") }
func (at places) spoolIndex() string    { return filepath.Join(at.pipe, at.name+".idx") }
