package keeper

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// maxFailures is how often a new program may end before it has come up.
const maxFailures = 3

// choice is which program is run: the one that lies in its place, unless that
// one does not come up and another one did before. The good one is held open,
// so that it is there even if its file has been replaced or hidden.
type choice struct {
	goodFile *os.File
	goodID   programID
	file     *os.File // the one that is being tried, if it is another
	id       programID
	failures int
	bad      programID // not to be tried again
}

// programID tells one program from another, and from a file that was written
// anew in place.
type programID struct {
	dev, ino   uint64
	size       int64
	mtim, ctim unix.Timespec
}

// next gives the path of what is to be started.
func (c *choice) next(program string, say func(string, ...any)) string {
	f, id, err := openProgram(program)
	if err != nil {
		if c.goodFile == nil {
			return program
		}
		say("supervisor: %s; the program before goes on", err)
		return procPath(c.goodFile)
	}
	if c.goodFile != nil && id == c.goodID {
		f.Close()
		c.drop()
		return program
	}
	if c.goodFile != nil && id == c.bad {
		f.Close()
		return procPath(c.goodFile)
	}
	if id != c.id {
		c.failures = 0
	}
	c.drop()
	c.file, c.id = f, id
	if c.goodFile == nil || c.failures < maxFailures {
		return program
	}
	say("supervisor: the new %s does not come up; the program before goes on", program)
	c.bad = id
	c.drop()
	return procPath(c.goodFile)
}

// failed notes that a program ended before it had come up. One that cannot even
// be executed has failed as often as it may.
func (c *choice) failed(times int) { c.failures += times }

// good notes that it has come up.
func (c *choice) good() {
	c.failures = 0
	if c.file == nil {
		return
	}
	if c.goodFile != nil {
		c.goodFile.Close()
	}
	c.goodFile, c.goodID, c.file = c.file, c.id, nil
	c.bad = programID{}
}

// onTrial tells whether what runs is new and there is another to go back to.
func (c *choice) onTrial() bool { return c.file != nil && c.goodFile != nil }

func (c *choice) drop() {
	if c.file != nil {
		c.file.Close()
	}
	c.file = nil
}

func (c *choice) close() {
	c.drop()
	if c.goodFile != nil {
		c.goodFile.Close()
	}
	c.goodFile = nil
}

func procPath(f *os.File) string { return fmt.Sprintf("/proc/self/fd/%d", f.Fd()) }

// openProgram takes hold of a file without opening it for reading.
func openProgram(name string) (*os.File, programID, error) {
	fd, err := unix.Open(name, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, programID{}, fmt.Errorf("open %s: %w", name, err)
	}
	f := os.NewFile(uintptr(fd), name)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		f.Close()
		return nil, programID{}, fmt.Errorf("look at %s: %w", name, err)
	}
	return f, programID{dev: st.Dev, ino: st.Ino, size: st.Size, mtim: st.Mtim, ctim: st.Ctim}, nil
}
