package logs

import (
	"path/filepath"

	"slipway/pkg/bundle"
)

func (p Paths) orDefault() Paths {
	set := func(v *string, def string) {
		if *v == "" {
			*v = def
		}
	}
	set(&p.Run, "/run")
	set(&p.Log, "/var/log")
	set(&p.Memlogd, "/var/run/linuxkit-external-logging.sock")
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
	meta string // of the index
	pipe string // of the pipes
}

// own is the folder of what is ours alone and gone with the power.
func (p Paths) own() string { return filepath.Join(p.Run, "slipway", "logs") }

// section is where output goes that is to be kept as files.
func (p Paths) section(s bundle.Section, folder string) places {
	at := places{name: Name(s, folder), meta: p.own(), pipe: p.own()}
	switch s {
	case bundle.Onboot:
		at.dir = filepath.Join(p.Run, "log", "onboot")
	case bundle.Onshutdown:
		at.dir = filepath.Join(p.Run, "log", "shutdown")
	default:
		at.dir = p.Log
		at.meta = filepath.Join(p.Log, "slipway")
	}
	return at
}

// memory is where the last output is kept of a container whose output goes
// somewhere else, or whose folder cannot be written.
func (p Paths) memory(s bundle.Section, folder string) places {
	return places{name: Name(s, folder), dir: p.own(), meta: p.own(), pipe: p.own()}
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
