package qemu

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
	"time"

	"slipway/pkg/port"
)

// VM is a machine that runs.
//
//   - Start starts QEMU, which dies with this process whatever happens
//   - Write types on the console, PowerOff and Kill end the machine
//   - Wait returns when QEMU is gone and all of its output has been seen
type VM struct {
	judge   *judge
	mon     *monitor
	console net.Conn
	port    net.Conn
	serial  string     // the console's name in the guest
	output  *collector // of the guest's files; nil: nobody wants them
	process *os.Process

	lines    chan []string
	messages chan port.Message
	events   chan Event
	requests chan action
	windows  chan port.Window
	used     time.Duration // of a processor, by QEMU; read after exited
	exited   chan string   // what QEMU died of; empty: it ended in good order
	drained  chan error    // console, monitor and port, read to the end
	shown    atomic.Int64  // when the console last wrote, in nanoseconds
	over     chan struct{} // closed when result is there
	result   Result
}

// drainTime bounds the wait for output that is still on its way when QEMU is
// gone: whoever reads ours may have stopped.
const drainTime = 10 * time.Second

// drains are what is read to its end: console, monitor and port.
const drains = 3

// Start starts the machine. Disks are made first if they have to be.
func Start(c Config, w Watch, con Console) (*VM, error) {
	if err := c.Boot.checkFiles(); err != nil {
		return nil, err
	}
	for _, d := range c.Disks {
		if err := d.Ensure(); err != nil {
			return nil, err
		}
	}
	for _, p := range c.Publish {
		if err := p.check(); err != nil {
			return nil, err
		}
	}
	args, err := Args(c)
	if err != nil {
		return nil, err
	}
	files, err := collect(w.Output)
	if err != nil {
		return nil, err
	}
	vm, err := launch(c, w, con, args, files)
	if err != nil {
		return nil, errors.Join(err, files.refuse())
	}
	return vm, nil
}

// launch starts QEMU with a command line.
func launch(c Config, w Watch, con Console, args []string, files *collector) (*VM, error) {
	consoleOurs, consoleQEMU, err := socketPair("console")
	if err != nil {
		return nil, err
	}
	qmpOurs, qmpQEMU, err := socketPair("qmp")
	if err != nil {
		return nil, err
	}
	portOurs, portQEMU, err := socketPair("port")
	if err != nil {
		return nil, err
	}
	vm := &VM{
		judge: newJudge(w, time.Now()), mon: newMonitor(qmpOurs), console: consoleOurs, port: portOurs, output: files, serial: machines[c.withDefaults().Arch].console,
		lines: make(chan []string), messages: make(chan port.Message), events: make(chan Event), requests: make(chan action), windows: make(chan port.Window),
		exited: make(chan string, 1), drained: make(chan error, drains), over: make(chan struct{}),
	}
	vm.judge.timeline = con.Timeline != nil
	vm.shown.Store(time.Now().UnixNano())
	cmd := exec.Command(c.Binary, args...)
	cmd.ExtraFiles = []*os.File{consoleQEMU, qmpQEMU, portQEMU}
	if err := vm.spawn(cmd); err != nil {
		return nil, errors.Join(err, consoleOurs.Close(), qmpOurs.Close(), portOurs.Close())
	}
	vm.serve(con, qmpOurs)
	return vm, nil
}

// serve reads all that comes from the machine.
func (vm *VM) serve(con Console, qmp net.Conn) {
	go func() {
		defer con.guard()
		vm.readPort(con.Timeline)
	}()
	go func() {
		defer con.guard()
		vm.readConsole(con)
	}()
	go func() {
		defer con.guard()
		vm.drained <- vm.mon.serve(qmp, func(e Event) { vm.events <- e })
	}()
	go func() {
		defer con.guard()
		vm.loop()
	}()
}

// loop feeds the judge until QEMU is gone and its output is read.
func (vm *VM) loop() {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	var overdue <-chan time.Time
	death, open := "", drains
	for gone := false; !gone || open > 0; {
		select {
		case batch := <-vm.lines:
			for _, s := range batch {
				vm.judge.line(s, time.Now())
			}
		case m := <-vm.messages:
			vm.judge.message(m, time.Now())
		case e := <-vm.events:
			vm.judge.event(e, time.Now())
		case r := <-vm.requests:
			vm.request(r, time.Now())
		case w := <-vm.windows:
			w.Console = vm.serial
			vm.judge.window = &w
			vm.judge.request()
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
		vm.judge.output = time.Unix(0, vm.shown.Load())
		if !gone {
			vm.act(vm.judge.clock(time.Now()))
			vm.speak()
		}
	}
	vm.judge.warn(errors.Join(vm.console.Close(), vm.port.Close()))
	vm.result = vm.judge.finish(death, time.Now())
	vm.result.Processor = vm.used
	vm.result.Output = vm.output.result(string(vm.result.Ending))
	close(vm.over)
}

func (vm *VM) request(r action, now time.Time) {
	if r == quit {
		vm.judge.pull(now)
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

// Hang makes a disk (disk0 is the first) take a byte in a second: what the guest
// asks of it is neither done nor refused.
func (vm *VM) Hang(disk string) error { return vm.throttle(disk, 1) }

// Answer ends what Hang began: all that the guest has asked for is done.
func (vm *VM) Answer(disk string) error { return vm.throttle(disk, 0) }

// throttle bounds a disk's bytes in a second; 0 is no bound.
func (vm *VM) throttle(disk string, bps int) error {
	return vm.mon.run("block_set_io_throttle", map[string]any{
		"device": disk, "bps": bps, "bps_rd": 0, "bps_wr": 0, "iops": 0, "iops_rd": 0, "iops_wr": 0,
	})
}

// Resize tells the guest the size of the window in which its console is looked at.
func (vm *VM) Resize(columns, rows int) {
	select {
	case vm.windows <- port.Window{Columns: uint16(columns), Rows: uint16(rows)}:
	case <-vm.over:
	}
}

// AwaitUp waits until the machine runs. It is false when QEMU has ended without
// that; Wait then tells why.
func (vm *VM) AwaitUp() bool {
	select {
	case <-vm.mon.up:
		return true
	case <-vm.over:
		return false
	}
}

// Wait waits for the end of the run.
func (vm *VM) Wait() Result {
	<-vm.over
	return vm.result
}

// Pid is QEMU's process id.
func (vm *VM) Pid() int { return vm.process.Pid }
