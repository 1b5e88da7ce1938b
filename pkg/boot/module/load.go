package module

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Loader loads modules of one index and remembers what it loaded, so that a
// dependency that many share costs one system call.
type Loader struct {
	Index *Index
	// insert hands one file to the kernel; tests put their own here.
	insert func(file, options string) error
	done   map[string]bool // by name
}

// NewLoader returns a loader for the modules of x.
func NewLoader(x *Index) *Loader {
	return &Loader{Index: x, insert: Insert, done: map[string]bool{}}
}

// Load loads the modules that names and aliases ask for, with all they need.
// Errors do not keep the others from being loaded.
func (l *Loader) Load(names []string, deny bool) error {
	var errs []error
	for _, module := range l.Index.Resolve(names, deny) {
		errs = append(errs, l.load(module, ""))
	}
	return errors.Join(errs...)
}

// load loads one module by its name. What is being loaded counts as done, which
// ends circles of soft dependencies.
func (l *Loader) load(module, options string) error {
	if l.done[module] {
		return nil
	}
	l.done[module] = true
	c := &l.Index.config
	errs := []error{l.Load(c.pre[module], false)}
	for _, file := range l.Index.needs(module) {
		name := Name(file)
		if name == module {
			errs = append(errs, l.insert(file, strings.TrimSpace(c.options[name]+" "+options)))
		} else {
			errs = append(errs, l.load(name, ""))
		}
	}
	errs = append(errs, l.Load(c.post[module], false))
	return errors.Join(errs...)
}

// Insert loads one module file. A module that is loaded already is no error; nor
// is one that finds no hardware, which is what ENODEV says.
func Insert(file, options string) error {
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("load module: %w", err)
	}
	defer f.Close()
	err = insert(f, options)
	if errors.Is(err, unix.EEXIST) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("load module %s: %w", file, err)
	}
	return nil
}

func insert(f *os.File, options string) error {
	flags := 0
	if !strings.HasSuffix(f.Name(), ".ko") {
		// The kernel unpacks modules itself since 5.17, if configured to.
		flags = unix.MODULE_INIT_COMPRESSED_FILE
	}
	err := unix.FinitModule(int(f.Fd()), options, flags)
	if !errors.Is(err, unix.ENOSYS) || flags != 0 {
		return err
	}
	image, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	return unix.InitModule(image, options)
}
