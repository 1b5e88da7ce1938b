package index

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

// Streams are both.
var Streams = []Stream{Stdout, Stderr}

// Paths says where things lie; the zero value is a LinuxKit machine's layout.
type Paths struct {
	Run     string // default /run: pipes, onboot logs, what memory alone keeps
	Log     string // default /var/log: logs of services, and the links
	Memlogd string // default /run/linuxkit-external-logging.sock
	Kmsg    string // default /dev/kmsg
}

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

// Name is what LinuxKit calls the log of a container: "onboot.000-dhcp",
// "shutdown.000-bye", "sshd". With ".out" behind it, it is the log of the
// standard output; bare, that of the standard error.
func nameOf(s bundle.Section, folder string) string {
	switch s {
	case bundle.Onboot:
		return "onboot." + folder
	case bundle.Onshutdown:
		return "shutdown." + folder
	}
	return folder
}

// Places are the files of one container.
type Places struct {
	Name   string
	Dir    string // of the files with the output
	Meta   string // of their index
	Memory string // of what lies in memory: the pipes, and what came out of them
}

// own is the folder of what is ours alone and gone with the power.
func (p Paths) own() string { return filepath.Join(p.Run, "slipway", "logs") }

// Section is where output goes that is to be kept as files.
func (p Paths) Section(s bundle.Section, folder string) Places {
	at := Places{Name: nameOf(s, folder), Memory: p.own(), Meta: filepath.Join(p.own(), "files")}
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

func (at Places) Base(s Stream) string {
	if s == Stdout {
		return at.Name + ".out"
	}
	return at.Name
}

func (at Places) File(s Stream) string { return filepath.Join(at.Dir, at.Base(s)+".log") }
func (at Places) Fifo(s Stream) string { return filepath.Join(at.Memory, at.Base(s)+".fifo") }
func (at Places) Index() string        { return filepath.Join(at.Meta, at.Name+".idx") }

// The files of a spool, and how far of a stream a console has been shown.

func (at Places) Spool(s Stream) string { return filepath.Join(at.Memory, at.Base(s)+".spool") }
func (at Places) Shown(s Stream) string { return filepath.Join(at.Memory, at.Base(s)+".shown") }
func (at Places) SpoolIndex() string    { return filepath.Join(at.Memory, at.Name+".idx") }
