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
	// Unsigned hands modules to the kernel without their signatures, if it takes them so.
	Unsigned bool
	// insert hands one file to the kernel; tests put their own here.
	insert func(file, options string, unsigned bool) error
	jobs   map[string]*job // by module's name
}

// job is one module to load.
type job struct {
	file, options string
	after         []*job        // what it needs
	done          chan struct{} // closed when it is loaded, or failed
	err           error
}

// side is how many modules load side by side: the kernel checks signatures and
// relocates outside of its locks, but a boot has other things to do as well.
const side = 2

// NewLoader returns a loader for the modules of x.
func NewLoader(x *Index) *Loader {
	return &Loader{Index: x, insert: insertNew, jobs: map[string]*job{}}
}

// Load loads the modules that names and aliases ask for, with all they need.
// With deny, what is blacklisted is not loaded for an alias. Errors do not keep
// the others from being loaded.
func (l *Loader) Load(names []string, deny bool) error {
	var plan []*job
	for _, module := range l.Index.Resolve(names, deny) {
		plan = l.plan(plan, module, "")
	}
	return l.run(plan)
}

// plan appends the jobs that the module takes, in an order that works: what it
// depends on, its soft dependencies, itself, and what should follow it. In a
// circle of soft dependencies the second visit of a module finds it unfinished
// and goes on without it.
func (l *Loader) plan(list []*job, module, options string) []*job {
	if _, ok := l.jobs[module]; ok {
		return list
	}
	files := l.Index.needs(module)
	if len(files) == 0 {
		return list
	}
	l.jobs[module] = nil
	c := &l.Index.config
	j := &job{
		file: files[len(files)-1], done: make(chan struct{}),
		options: strings.TrimSpace(c.options[module] + " " + options),
	}
	needs := l.Index.Resolve(c.pre[module], false)
	for _, file := range files[:len(files)-1] {
		needs = append(needs, Name(file))
	}
	for _, name := range needs {
		list = l.plan(list, name, "")
		if before := l.jobs[name]; before != nil {
			j.after = append(j.after, before)
		}
	}
	l.jobs[module] = j
	list = append(list, j)
	for _, name := range l.Index.Resolve(c.post[module], false) {
		list = l.plan(list, name, "")
	}
	return list
}

// run carries out a plan. A job whose needs failed is tried all the same: the
// kernel knows best what it lacks.
func (l *Loader) run(plan []*job) error {
	slots := make(chan struct{}, side)
	for _, j := range plan {
		slots <- struct{}{}
		go func() {
			defer func() { <-slots }()
			defer close(j.done)
			for _, before := range j.after {
				<-before.done
			}
			j.err = l.insert(j.file, j.options, l.Unsigned)
		}()
	}
	var errs []error
	for _, j := range plan {
		<-j.done
		errs = append(errs, j.err)
	}
	return errors.Join(errs...)
}

// insertNew spares the kernel a module that it has: it would check the signature
// and relocate the whole before it says so.
func insertNew(file, options string, unsigned bool) error {
	if _, err := os.Stat("/sys/module/" + Name(file) + "/initstate"); err == nil {
		return nil
	}
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("load module: %w", err)
	}
	defer f.Close()
	return Insert(f, options, unsigned)
}

// Insert loads one module file. A module that is loaded already is no error; nor
// is one that finds no hardware, which is what ENODEV says. With unsigned the
// kernel gets it without its signature, if it takes it so.
func Insert(f *os.File, options string, unsigned bool) error {
	err := errEnforced
	if unsigned {
		err = insertUnsigned(f, options)
	}
	if enforced(err) {
		err = insert(f, options)
	}
	if errors.Is(err, unix.EEXIST) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("load module %s: %w", f.Name(), err)
	}
	return nil
}

func insert(f *os.File, options string) error {
	flags := 0
	if !strings.HasSuffix(f.Name(), ".ko") {
		// The kernel unpacks modules itself since 5.17, if configured to.
		flags = unix.MODULE_INIT_COMPRESSED_FILE
	}
	err := os.NewSyscallError("finit_module", unix.FinitModule(int(f.Fd()), options, flags))
	if !errors.Is(err, unix.ENOSYS) || flags != 0 {
		return err
	}
	image, err := io.ReadAll(f)
	if err != nil {
		return fmt.Errorf("read it: %w", err)
	}
	return os.NewSyscallError("init_module", unix.InitModule(image, options))
}
