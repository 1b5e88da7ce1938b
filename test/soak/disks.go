package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"time"

	"slipway/pkg/qemu"
)

const disksYAML = diskHead + `services:
  - name: rec
    image: slipway/busybox:v0.1
    binds: ["/var/data:/data", "/usr/bin/soak-guest:/bin/soak", "/dev:/dev"]
    devices: [{path: all, type: c}]
    command: ["/bin/soak", "record", "disk", "/data/rec"]
    annotations: {slipway.upper: "disk:/var/upper", slipway.stop-timeout: 3s}
  - name: chat
    image: slipway/busybox:v0.1
    binds: ["/usr/bin/soak-guest:/bin/soak"]
    command: ["/bin/soak", "chat"]
    annotations: {slipway.stop-timeout: 3s}
  - name: healthy
    image: slipway/busybox:v0.1
    command: ["/bin/sleep", "100000"]
    annotations: {slipway.log: console, slipway.stop-timeout: 3s}
`

// sickness is a way for a disk to fail, by what the host does; the machine itself
// freezes a file system.
type sickness struct {
	name   string
	guest  string // what our program in the machine is told
	off    bool   // the machine is on its way down by then
	befall func(*qmp) error
}

var sicknesses = []sickness{
	{"errors", "none", false, (*qmp).fail},
	{"errors", "none", true, (*qmp).fail},
	{"removal", "none", false, (*qmp).remove},
	{"removal", "none", true, (*qmp).remove},
	{"hang", "none", false, (*qmp).hang},
	{"hang", "none", true, (*qmp).hang},
	{"freeze", "freeze", false, nil},
	{"freeze", "freeze-off", true, nil},
}

// disks has the disk below /var fail in a machine that works, or goes down.
func (s *soak) disks(t *tally) error {
	image, err := s.image(context.Background(), "disks", disksYAML, nil)
	if err != nil {
		return err
	}
	r := t.random()
	for i := range t.wanted {
		kind := sicknesses[i%len(sicknesses)]
		name := fmt.Sprintf("disks-%d: %s, going down %t", i+1, kind.name, kind.off)
		took, err := s.sickDisk(image, filepath.Join(s.dir, fmt.Sprintf("disks-%d", i+1)), kind, r)
		t.result(name, err)
		t.note("%s%s off after %.0f s", kind.name, map[bool]string{true: " on the way down"}[kind.off], took.Seconds())
	}
	return nil
}

// sickTime bounds the run of a machine with a sick disk: a shutdown alone may take
// half a minute beyond the services' own timeouts, and this is emulated.
const sickTime = 8 * time.Minute

// aliveAfter is how often a machine has to answer with its disk sick.
const aliveAfter = 8

func (s *soak) sickDisk(image qemu.Boot, dir string, kind sickness, r *rand.Rand) (took time.Duration, err error) {
	disk := dir + ".img"
	if err := makeDisk(disk); err != nil {
		return 0, err
	}
	socket := filepath.Join(dir, "qmp")
	m, err := s.start(dir, image, "soak=disks,"+kind.guest, qemu.Watch{Timeout: sickTime},
		"-qmp", "unix:"+socket+",server=on,wait=off",
		"-object", "throttle-group,id=limit",
		"-blockdev", "driver=file,node-name=store,filename="+disk,
		"-blockdev", "driver=blkdebug,node-name=bad,image=store,inject-error.0.event=none,inject-error.0.errno=5,inject-error.0.once=off",
		"-blockdev", "driver=throttle,node-name=top,throttle-group=limit,file=store",
		"-device", "pcie-root-port,id=port9,chassis=9",
		"-device", "virtio-blk-pci,id=sick,drive=top,bus=port9,werror=report,rerror=report")
	if err != nil {
		return 0, err
	}
	fault := m.await("UP", 1)
	var q *qmp
	if fault == nil {
		q, fault = dialQMP(socket)
	}
	if fault == nil {
		fault = errors.Join(m.sicken(q, kind, r), q.conn.Close())
	}
	if fault != nil {
		m.Kill()
	}
	began := time.Now()
	m.Wait()
	took = time.Since(began)
	return took, m.finish(qemu.PoweredOff, errors.Join(fault, os.Remove(disk)))
}

// sicken makes the disk sick, wants the machine to answer, and powers it off; or
// the other way round.
func (m *vm) sicken(q *qmp, kind sickness, r *rand.Rand) error {
	if kind.off {
		if kind.befall == nil {
			return nil // it freezes the disk and powers off by itself
		}
		if err := q.pressPower(); err != nil {
			return err
		}
		time.Sleep(time.Duration(r.IntN(1500)) * time.Millisecond)
		// It may be down by now.
		_ = kind.befall(q)
		return nil
	}
	if kind.befall != nil {
		if err := kind.befall(q); err != nil {
			return err
		}
	}
	seen := count(m.said(), "ALIVE ")
	err := m.await("ALIVE ", seen+aliveAfter)
	err = errors.Join(err, faults(m.said()))
	if err != nil {
		return err
	}
	return q.pressPower()
}

// qmp is a second monitor of a machine.
type qmp struct {
	conn net.Conn
	in   *bufio.Scanner
}

func dialQMP(socket string) (*qmp, error) {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return nil, err
	}
	q := &qmp{conn, bufio.NewScanner(conn)}
	q.in.Buffer(nil, 1<<20)
	if !q.in.Scan() { // the greeting
		return nil, errors.Join(errors.New("QMP: no greeting"), q.in.Err(), conn.Close())
	}
	return q, q.run("qmp_capabilities", nil)
}

// run sends a command and waits for its answer.
func (q *qmp) run(name string, arguments any) error {
	message := map[string]any{"execute": name}
	if arguments != nil {
		message["arguments"] = arguments
	}
	data, err := json.Marshal(message)
	if err != nil {
		return err
	}
	if _, err := q.conn.Write(append(data, '\n')); err != nil {
		return err
	}
	for q.in.Scan() {
		var answer struct {
			Return json.RawMessage
			Error  *struct{ Desc string }
		}
		if err := json.Unmarshal(q.in.Bytes(), &answer); err != nil {
			return err
		}
		if answer.Error != nil {
			return fmt.Errorf("QMP %s: %s", name, answer.Error.Desc)
		}
		if answer.Return != nil {
			return nil
		}
	}
	return errors.Join(fmt.Errorf("QMP %s: no answer", name), q.in.Err())
}

// pressPower pushes the power button. VM.PowerOff would end the machine by force
// when it takes long, and how long it takes is what is to be seen.
func (q *qmp) pressPower() error { return q.run("system_powerdown", nil) }

// fail has each request fail with EIO from now on.
func (q *qmp) fail() error {
	return q.run("blockdev-reopen", map[string]any{"options": []any{
		map[string]any{"driver": "throttle", "node-name": "top", "throttle-group": "limit", "file": "bad"},
	}})
}

// remove unplugs the disk.
func (q *qmp) remove() error { return q.run("device_del", map[string]any{"id": "sick"}) }

// hang lets through a byte in a second: a block takes more than an hour.
func (q *qmp) hang() error {
	return q.run("qom-set", map[string]any{"path": "/objects/limit", "property": "limits", "value": map[string]any{"bps-total": 1}})
}
