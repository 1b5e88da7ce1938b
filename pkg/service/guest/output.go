package guest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/container/mount"
	"slipway/pkg/machine"
	"slipway/pkg/port"
)

const (
	// OutputTime is what handing files out may take on the way down.
	OutputTime = 2 * time.Minute
	// outputSend is how long the host's disk may keep it waiting for a piece.
	outputSend = 20 * time.Second
	mostLeft   = 20 // files that are named to the host as left out
)

// MountOutput mounts the directory in which containers leave files for the host, unless
// it is mounted already, as PID 1 of ours does.
func (p Paths) MountOutput() error {
	dir := p.RunDir(machine.Output)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make %s: %w", dir, err)
	}
	var own, above unix.Stat_t
	if err := errors.Join(unix.Stat(dir, &own), unix.Stat(p.RunDir(), &above)); err != nil {
		return fmt.Errorf("look at %s: %w", dir, err)
	}
	if own.Dev != above.Dev {
		return nil
	}
	return mount.Output(dir).Do()
}

// WantsOutput is how many bytes of files the host takes; 0: none.
func (g *Guest) WantsOutput() int64 {
	data, err := os.ReadFile(g.Paths.RunDir(machine.OutputFile))
	if err != nil {
		return 0
	}
	most, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
	if err != nil || most < 0 {
		return 0
	}
	return most
}

// TellOutput hands the files out to the host, if that wants them. Containers may be at
// work on them.
func (g *Guest) TellOutput() {
	most := g.WantsOutput()
	if most == 0 || g.Port == nil {
		return
	}
	g.output.Lock()
	defer g.output.Unlock()
	o := output{most: most, end: time.Now().Add(OutputTime), tell: func(m port.Message) error { return g.Port.Send(m, outputSend) }}
	if err := o.handOut(g.Paths.RunDir(machine.Output)); err != nil {
		g.Say("output: %s", err)
		o.Fault = err.Error()
	}
	g.Tell(port.Message{Files: &o.Files})
}

// output is files on their way to the host. Whatever is in their directory, and
// whoever changes it meanwhile: only regular files of that filesystem are read.
type output struct {
	port.Files
	most int64
	end  time.Time
	tell func(port.Message) error
	root *os.Root
	dev  uint64
	list []string
	seen int
	sum  int64 // of sizes, in bytes
}

func (o *output) handOut(dir string) (err error) {
	if o.root, err = os.OpenRoot(dir); err != nil {
		return fmt.Errorf("open the directory: %w", err)
	}
	defer func() { err = errors.Join(err, o.root.Close()) }()
	info, err := o.root.Lstat(".")
	if err != nil {
		return fmt.Errorf("look at the directory: %w", err)
	}
	o.dev = device(info)
	if err := o.collect(".", 1); err != nil {
		return err
	}
	for _, name := range o.list {
		if err := o.send(name); err != nil {
			return err
		}
	}
	return nil
}

func device(info fs.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Dev
	}
	return 0
}

// collect lists the files of a directory. All are known before the first is sent: what
// is too much leaves nothing on the host.
func (o *output) collect(dir string, depth int) error {
	// A container may have put a pipe there meanwhile, which nobody writes to.
	d, err := o.root.OpenFile(dir, os.O_RDONLY|unix.O_NONBLOCK|unix.O_DIRECTORY, 0)
	if err != nil {
		o.miss(dir + ": " + reason(err))
		return nil
	}
	entries, err := d.ReadDir(port.MaxFiles + 1)
	if err := errors.Join(ignoreEnd(err), d.Close()); err != nil {
		return fmt.Errorf("list %s: %w", dir, err)
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	for _, e := range entries {
		if o.seen++; o.seen > port.MaxFiles {
			return fmt.Errorf("more than %d files and directories", port.MaxFiles)
		}
		if err := o.entry(path.Join(dir, e.Name()), depth); err != nil {
			return err
		}
	}
	return nil
}

func ignoreEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func (o *output) entry(name string, depth int) error {
	if err := port.CheckName(name); err != nil {
		o.leave(err.Error())
		return nil
	}
	info, err := o.root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil // a container has removed it
	case err != nil:
		return fmt.Errorf("look at %s: %w", name, err)
	case device(info) != o.dev:
		o.leave(name + ": something is mounted on it")
	case info.IsDir() && depth < port.MaxDepth:
		return o.collect(name, depth+1)
	case !info.Mode().IsRegular():
		o.leave(name + ": " + kindOf(info))
	default:
		o.list = append(o.list, name)
		if o.sum += info.Size(); o.sum > o.most || o.sum < 0 {
			return fmt.Errorf("%s and what is beside it are more than %d bytes", name, o.most)
		}
	}
	return nil
}

// miss notes a file that should have come. The others do.
func (o *output) miss(why string) {
	if o.Fault == "" {
		o.Fault = why
	}
}

// reason is without the name that is told already.
func reason(err error) string {
	if of, is := errors.AsType[*fs.PathError](err); is {
		err = of.Err
	}
	return err.Error()
}

func kindOf(info fs.FileInfo) string {
	switch {
	case info.IsDir():
		return "it lies too deep"
	case info.Mode()&fs.ModeSymlink != 0:
		return "a symbolic link"
	}
	return "no regular file"
}

func (o *output) leave(why string) {
	switch {
	case len(o.Left) < mostLeft:
		o.Left = append(o.Left, why)
	case len(o.Left) == mostLeft:
		o.Left = append(o.Left, "and more")
	}
}

// send sends a file as long as it is now.
func (o *output) send(name string) (err error) {
	// A container may have put a pipe there meanwhile, which nobody writes to.
	f, err := o.root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		o.miss(name + ": " + reason(err)) // gone, a socket now, or one that is leased (fcntl(2))
		return nil
	}
	defer f.Close() // only read from
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("look at %s: %w", name, err)
	}
	if !info.Mode().IsRegular() || device(info) != o.dev {
		o.miss(name + ": it was replaced while it was read")
		return nil
	}
	if info.Size() > o.most {
		return fmt.Errorf("%s: it has more than %d bytes", name, o.most)
	}
	o.most -= info.Size()
	piece := port.File{Name: name, Size: info.Size()}
	buffer := make([]byte, port.FilePiece)
	for first := true; first || piece.At < piece.Size; first = false {
		if time.Now().After(o.end) {
			return fmt.Errorf("%s: not done after %s", name, OutputTime)
		}
		piece.Data = buffer[:min(int64(len(buffer)), piece.Size-piece.At)]
		if _, err := io.ReadFull(f, piece.Data); err != nil {
			o.miss(name + ": it changed while it was read") // the host keeps nothing in part
			return nil
		}
		if err := o.tell(port.Message{File: &piece}); err != nil {
			return err
		}
		piece.At += int64(len(piece.Data))
	}
	o.Number++
	return nil
}
