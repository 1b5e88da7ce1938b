package qemu

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Console says where the guest's console goes.
type Console struct {
	Output io.Writer // every byte, as it comes
	Plain  bool      // Output gets text without terminal control
	Log    io.Writer // plain text
	// OnPanic is called when a goroutine of ours panics: it can give a
	// terminal back, which no deferred call of the caller would.
	OnPanic func() error
}

// guard is deferred in each goroutine.
func (con Console) guard() {
	if con.OnPanic == nil {
		return
	}
	if r := recover(); r != nil {
		panic(fmt.Sprint(r, errors.Join(con.OnPanic())))
	}
}

// VM is a machine that runs.
//
//   - Start starts QEMU, which dies with this process whatever happens
//   - Write types on the console, PowerOff and Kill end the machine
//   - Wait returns when QEMU is gone and all of its output has been seen
type VM struct {
	judge   *judge
	mon     *monitor
	console net.Conn
	process *os.Process

	lines    chan []string
	events   chan Event
	requests chan action
	exited   chan string // what QEMU died of; empty: it ended in good order
	drained  chan error  // console, then monitor, read to the end
	output   atomic.Int64
	over     chan struct{} // closed when result is there
	result   Result
}

// drainTime bounds the wait for output that is still on its way when QEMU is
// gone: whoever reads ours may have stopped.
const drainTime = 10 * time.Second

// Start starts the machine. Disks are made first if they have to be.
func Start(c Config, w Watch, con Console) (*VM, error) {
	for _, d := range c.Disks {
		if err := d.Ensure(); err != nil {
			return nil, err
		}
	}
	args, err := Args(c)
	if err != nil {
		return nil, err
	}
	consoleOurs, consoleQEMU, err := socketPair("console")
	if err != nil {
		return nil, err
	}
	qmpOurs, qmpQEMU, err := socketPair("qmp")
	if err != nil {
		return nil, err
	}
	vm := &VM{
		judge: newJudge(w, time.Now()), mon: &monitor{w: qmpOurs}, console: consoleOurs,
		lines: make(chan []string), events: make(chan Event), requests: make(chan action),
		exited: make(chan string, 1), drained: make(chan error, 2), over: make(chan struct{}),
	}
	vm.output.Store(time.Now().UnixNano())
	cmd := exec.Command(c.Binary, args...)
	cmd.ExtraFiles = []*os.File{consoleQEMU, qmpQEMU}
	if err := vm.spawn(cmd); err != nil {
		return nil, errors.Join(err, consoleOurs.Close(), qmpOurs.Close())
	}
	go func() {
		defer con.guard()
		vm.readConsole(con)
	}()
	go func() {
		defer con.guard()
		vm.drained <- vm.mon.serve(qmpOurs, func(e Event) { vm.events <- e })
	}()
	go func() {
		defer con.guard()
		vm.loop()
	}()
	return vm, nil
}

// spawn starts QEMU and watches it from one thread: the kernel sends the
// parent-death signal when the *thread* that forked is gone. QEMU gets a
// process group of its own, so that Ctrl-C is ours to handle.
func (vm *VM) spawn(cmd *exec.Cmd) error {
	stderr := &tail{max: 8 << 10}
	cmd.Stderr = stderr
	cmd.WaitDelay = drainTime
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		for _, f := range cmd.ExtraFiles {
			if cerr := f.Close(); err == nil && cerr != nil {
				err = cerr
			}
		}
		started <- err
		if err != nil {
			return
		}
		vm.exited <- died(cmd.Wait(), stderr.String())
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start QEMU: %w", err)
	}
	vm.process = cmd.Process
	return nil
}

func died(err error, stderr string) string {
	if err == nil {
		return ""
	}
	if stderr = strings.TrimSpace(stderr); stderr != "" {
		return err.Error() + ": " + stderr
	}
	return err.Error()
}

func (vm *VM) readConsole(con Console) {
	var p plain
	var batch []string // of one read: to pass each line on its own takes far longer
	split := lines{emit: func(s string) { batch = append(batch, s) }}
	raw, text := make([]byte, 32<<10), []byte(nil)
	var sinkErr error
	for {
		n, err := vm.console.Read(raw)
		if n > 0 {
			vm.output.Store(time.Now().UnixNano())
			text = p.filter(text[:0], raw[:n])
			if werr := con.write(raw[:n], text); werr != nil && sinkErr == nil {
				sinkErr = fmt.Errorf("write console output: %w", werr)
			}
			split.write(text)
		}
		if err != nil {
			split.flush()
		}
		if len(batch) > 0 {
			vm.lines <- batch
			batch = nil
		}
		if err != nil {
			vm.drained <- sinkErr
			return
		}
	}
}

func (con Console) write(raw, text []byte) error {
	var err error
	if con.Output != nil {
		if con.Plain {
			_, err = con.Output.Write(text)
		} else {
			_, err = con.Output.Write(raw)
		}
	}
	if con.Log != nil {
		if _, lerr := con.Log.Write(text); err == nil {
			err = lerr
		}
	}
	return err
}

// loop feeds the judge until QEMU is gone and its output is read.
func (vm *VM) loop() {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	var overdue <-chan time.Time
	death, open := "", 2
	for gone := false; !gone || open > 0; {
		select {
		case batch := <-vm.lines:
			for _, s := range batch {
				vm.judge.line(s, time.Now())
			}
		case e := <-vm.events:
			vm.judge.event(e, time.Now())
		case r := <-vm.requests:
			vm.request(r, time.Now())
		case death = <-vm.exited:
			gone = true
			overdue = time.After(drainTime)
		case err := <-vm.drained:
			open--
			vm.judge.warn(err)
		case <-overdue:
			open = 0
		case <-tick.C:
		}
		vm.judge.output = time.Unix(0, vm.output.Load())
		if !gone {
			vm.act(vm.judge.clock(time.Now()))
		}
	}
	vm.judge.warn(vm.console.Close())
	vm.result = vm.judge.finish(death, time.Now())
	close(vm.over)
}

func (vm *VM) request(r action, now time.Time) {
	if r == quit {
		vm.judge.endBy(now)
		return
	}
	vm.judge.askOff(now)
}

func (vm *VM) act(a action) {
	var err error
	switch a {
	case pressPower:
		err = vm.mon.pressPower()
	case pressReset:
		err = vm.mon.pressReset()
	case quit:
		// QEMU leads a process group, so helpers of its own go with it.
		err = syscall.Kill(-vm.process.Pid, syscall.SIGKILL)
	}
	vm.judge.warn(err)
}

// Write types on the guest's console.
func (vm *VM) Write(p []byte) (int, error) { return vm.console.Write(p) }

// PowerOff asks the guest to power off, and ends the machine by force when it
// has not done so in time, or at once when asked a second time.
func (vm *VM) PowerOff() { vm.send(pressPower) }

// Kill ends the machine at once, as if its plug were pulled.
func (vm *VM) Kill() { vm.send(quit) }

func (vm *VM) send(a action) {
	select {
	case vm.requests <- a:
	case <-vm.over:
	}
}

// Wait waits for the end of the run.
func (vm *VM) Wait() Result {
	<-vm.over
	return vm.result
}

// Pid is QEMU's process id.
func (vm *VM) Pid() int { return vm.process.Pid }

// socketPair makes a connected pair: our end, and the one that QEMU inherits.
func socketPair(name string) (net.Conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make socket pair for %s: %w", name, err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), name), os.NewFile(uintptr(fds[1]), name)
	conn, err := net.FileConn(ours)
	if cerr := ours.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return nil, nil, fmt.Errorf("make socket pair for %s: %w", name, err)
	}
	return conn, theirs, nil
}
