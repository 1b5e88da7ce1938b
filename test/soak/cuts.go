package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"slipway/pkg/qemu"
	"slipway/test/soak/blklog"
	"slipway/test/soak/record"
)

// The services write and fsync without pause, on the disk itself and in a
// writable layer that lasts; another one fills the logs.
const cutsYAML = diskHead + `services:
  - &rec
    name: rec
    image: slipway/busybox:v0.1
    binds: ["/var/data:/data", "/usr/bin/soak-guest:/bin/soak", "/dev:/dev"]
    devices: [{path: all, type: c}]
    command: ["/bin/soak", "record", "disk", "/data/rec"]
  - name: layer
    image: slipway/busybox:v0.1
    binds: ["/usr/bin/soak-guest:/bin/soak", "/dev:/dev"]
    devices: [{path: all, type: c}]
    command: ["/bin/soak", "record", "layer", "/rec"]
    annotations: {slipway.upper: "disk:/var/upper"}
  - name: chat
    image: slipway/busybox:v0.1
    binds: ["/usr/bin/soak-guest:/bin/soak"]
    command: ["/bin/soak", "chat"]
    annotations: {slipway.log-max-size: "64k"}
`

// where the records of a writer lie on the disk.
var recordDirs = map[string]string{"disk": "data/rec", "layer": "upper/layer/upper/rec"}

const (
	cutsPerRun = 10 // disks made of one run: the first has all that was completed
	bootEvery  = 5  // of these disks one in so many is booted
	diskSize   = 64 << 20
)

// cuts pulls the plug while services write, and makes of what QEMU has logged
// disks that have lost writes.
func (s *soak) cuts(t *tally) error {
	image, err := s.image(context.Background(), "cuts", cutsYAML, nil)
	if err != nil {
		return err
	}
	r := t.random()
	for run := 1; t.tries < t.wanted; run++ {
		dir := filepath.Join(s.dir, fmt.Sprintf("cuts-%d", run))
		before := t.failures
		if err := s.cutRun(t, r, image, dir); err != nil {
			t.result(fmt.Sprintf("run %d", run), err)
		}
		if t.failures == before {
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// promise is a record that was said to be on the disk, and how long the log was
// by then.
type promise struct {
	who, kind string
	n         int
	log       int64
}

func (s *soak) cutRun(t *tally, r *rand.Rand, image qemu.Boot, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	base, disk, log := filepath.Join(dir, "base"), filepath.Join(dir, "disk"), filepath.Join(dir, "log")
	if err := makeDisk(base); err != nil {
		return err
	}
	if err := errors.Join(copyFile(base, disk), os.WriteFile(log, nil, 0o644)); err != nil {
		return err
	}
	m, err := s.start(filepath.Join(dir, "vm"), image, "", qemu.Watch{},
		"-blockdev", "driver=file,node-name=disk,filename="+disk+",cache.direct=on",
		"-blockdev", "driver=file,node-name=log,filename="+log,
		"-blockdev", "driver=blklogwrites,node-name=cut,file=disk,log=log,log-sector-size=512",
		"-device", "virtio-blk-pci,drive=cut")
	if err != nil {
		return err
	}
	cut := make(chan struct{})
	heard := make(chan []promise)
	go func() { heard <- m.listen(log, cut) }()
	err = m.await("said ", 60)
	if err == nil {
		time.Sleep(time.Duration(r.IntN(8000)) * time.Millisecond)
	}
	m.Kill()
	m.Wait()
	close(cut)
	promises := <-heard
	if err := errors.Join(err, m.log.Close()); err != nil {
		return err
	}
	t.figure("acknowledged", len(promises))
	return s.replays(t, r, image, dir, promises)
}

// listen notes what our program says, until the plug is pulled. What it said last
// is in the file all the same.
func (m *vm) listen(log string, cut chan struct{}) (all []promise) {
	size := func() int64 {
		info, err := os.Stat(log)
		if err != nil {
			return 1 << 62
		}
		return info.Size()
	}
	for last := false; ; time.Sleep(2 * time.Millisecond) {
		lines := m.said()
		now := size()
		for _, line := range lines[min(len(all), len(lines)):] {
			var p promise
			if _, err := fmt.Sscanf(line, "said %s %s %d", &p.who, &p.kind, &p.n); err != nil {
				p = promise{}
			}
			p.log = now
			all = append(all, p)
		}
		if last {
			return all
		}
		select {
		case <-cut:
			last = true
		default:
		}
	}
}

func (s *soak) replays(t *tally, r *rand.Rand, image qemu.Boot, dir string, promises []promise) error {
	f, err := os.Open(filepath.Join(dir, "log"))
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	log, err := blklog.Read(f, info.Size())
	if errors.Is(err, blklog.ErrHole) {
		t.figure("logs with a hole, not used", 1)
		return nil
	}
	if err != nil {
		return err
	}
	first := log.Until(firstPromise(promises))
	for i := 0; i < cutsPerRun && t.tries < t.wanted; i++ {
		n := len(log.Entries)
		if i > 0 && first < n {
			n = first + r.IntN(n-first)
		}
		seed := r.Uint64()
		made := filepath.Join(dir, fmt.Sprintf("cut-%d", i))
		err := s.replay(t, log, n, seed, dir, made, promises)
		if err == nil && i%bootEvery == 0 {
			t.figure("booted", 1)
			err = s.bootCut(image, made, required(promises, log, n))
		}
		if err == nil {
			err = os.Remove(made)
		}
		t.result(fmt.Sprintf("%s: cut after %d of %d requests, seed %d", made, n, len(log.Entries), seed), err)
	}
	return nil
}

func firstPromise(promises []promise) int64 {
	if len(promises) == 0 {
		return 1 << 62
	}
	return promises[0].log
}

// required are the records, by writer and kind, that have to be there when the
// power goes after n requests.
func required(promises []promise, log *blklog.Log, n int) map[string]map[string]int {
	var size int64 = 1 << 62
	if n < len(log.Entries) {
		size = log.Entries[n].End
	}
	need := map[string]map[string]int{}
	for _, p := range promises {
		if p.who == "" || p.log >= size {
			continue
		}
		if need[p.who] == nil {
			need[p.who] = map[string]int{}
		}
		need[p.who][p.kind] = max(need[p.who][p.kind], p.n)
	}
	return need
}

// replay makes one disk and wants a file system on it that its own check finds in
// order, once the journal is replayed, and everything that was acknowledged.
func (s *soak) replay(t *tally, log *blklog.Log, n int, seed uint64, dir, made string, promises []promise) error {
	if err := copyFile(filepath.Join(dir, "base"), made); err != nil {
		return err
	}
	disk, err := os.OpenFile(made, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	cut, err := log.Replay(disk, n, rand.New(rand.NewPCG(seed, 0)))
	if err := errors.Join(err, disk.Close()); err != nil {
		return err
	}
	if cut.Lost > 0 {
		t.figure("cuts that lost writes", 1)
	}
	t.figure("blocks lost", cut.Lost)
	t.figure("blocks not flushed", cut.Writes)
	// The check is made on a copy: the machine has to manage by itself.
	copied, out := made+".checked", made+".files"
	if err := copyFile(made, copied); err != nil {
		return err
	}
	if err := errors.Join(fsck(copied, "-p", 1), fsck(copied, "-fn", 0)); err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	if text, err := exec.Command("debugfs", "-R", "rdump / "+out, copied).CombinedOutput(); err != nil {
		return fmt.Errorf("debugfs: %w: %s", err, text)
	}
	for who, need := range required(promises, log, n) {
		found, err := record.Read(filepath.Join(out, recordDirs[who]))
		if err != nil {
			return err
		}
		for kind, least := range need {
			t.figure("records wanted", least)
			if found[kind] < least {
				return fmt.Errorf("%s: %s: %d of %d records that were acknowledged", who, kind, found[kind], least)
			}
		}
	}
	return errors.Join(os.Remove(copied), os.RemoveAll(out))
}

// bootCut boots a machine from the disk: it mounts it, finds the records and its
// logs, starts the same services on it, and powers off.
func (s *soak) bootCut(image qemu.Boot, disk string, need map[string]map[string]int) error {
	m, err := s.start(disk+".vm", image, "soak=check", qemu.Watch{}, "-drive", "if=none,id=cut,format=raw,file="+disk, "-device", "virtio-blk-pci,drive=cut")
	if err != nil {
		return err
	}
	m.Wait()
	fault := m.verdict()
	for _, line := range m.said() {
		var who, kind string
		var n int
		if _, err := fmt.Sscanf(line, "found %s %s %d", &who, &kind, &n); err == nil && n < need[who][kind] {
			fault = errors.Join(fault, fmt.Errorf("the machine finds %d of %d records of %s, %s", n, need[who][kind], who, kind))
		}
	}
	return errors.Join(m.finish(qemu.PoweredOff, fault), fsck(disk, "-fn", 0))
}

func makeDisk(file string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Truncate(diskSize), f.Close()); err != nil {
		return err
	}
	return command(0, "mkfs.ext4", "-q", file)
}

func fsck(disk, how string, worst int) error { return command(worst, "e2fsck", how, disk) }

// command runs a program of the host whose exit status may be up to worst.
func command(worst int, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	if path, err := exec.LookPath(name); err != nil {
		cmd.Path, cmd.Err = filepath.Join("/usr/sbin", name), nil
	} else {
		cmd.Path = path
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() >= 0 && exit.ExitCode() <= worst {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
