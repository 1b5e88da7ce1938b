package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"slipway/pkg/container/mount"
)

// Hostile bundles and killed runtimes meet a clean-up that kills. So that one at
// fault kills nobody else, it works in namespaces of its own, where its process is
// PID 1 and the root of the control groups is a group of its own, and where
// nothing of this machine can be written.
const (
	namespaceArg = "in-namespace" // outer: makes the group, and takes it away
	insideArg    = "inside"       // inner: does the work
)

// message is a line from inside: what begins, or how it ended.
type message struct {
	Begin  string `json:",omitempty"`
	Try    string `json:",omitempty"`
	Fault  string `json:",omitempty"`
	Figure string `json:",omitempty"`
	N      int    `json:",omitempty"`
}

// enclosed runs a job inside and counts what it tells. If the whole inside is
// killed, that is a failure of the try that had begun, and the next one goes on.
func (s *soak) enclosed(ctx context.Context, t *tally, job string) error {
	for from := 0; ; {
		begun, told, err := s.enclose(ctx, t, job, from)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if begun == "" || told == 0 && from > 0 {
			return fmt.Errorf("%s: %w", job, err)
		}
		t.result(begun, fmt.Errorf("everything around it was killed: %w", err))
		from += told
	}
}

func (s *soak) enclose(ctx context.Context, t *tally, job string, from int) (begun string, told int, err error) {
	cmd := exec.CommandContext(ctx, "/proc/self/exe", namespaceArg, job, strconv.FormatUint(t.seed, 10), strconv.Itoa(t.wanted), strconv.Itoa(from), s.runc, s.only)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS, Pdeathsig: unix.SIGKILL}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", 0, err
	}
	if err := cmd.Start(); err != nil {
		return "", 0, err
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var m message
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			fmt.Fprintln(os.Stderr, lines.Text())
			continue
		}
		switch {
		case m.Begin != "":
			begun = m.Begin
			told++
		case m.Figure != "":
			t.figure(m.Figure, m.N)
		case m.Fault != "":
			t.result(m.Try, errors.New(m.Fault))
		default:
			t.result(m.Try, nil)
		}
	}
	return begun, told, errors.Join(lines.Err(), cmd.Wait())
}

// inNamespace makes a control group, and has the job done as PID 1 inside.
func inNamespace(args []string) int {
	err := mountGroups()
	group := fmt.Sprintf("/sys/fs/cgroup/soak-%d", os.Getpid())
	if err == nil {
		err = os.Mkdir(group, 0o755)
	}
	if err == nil {
		// The child's group is the root of what it sees: it is born in it.
		err = os.WriteFile(group+"/cgroup.procs", []byte("0"), 0)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	cmd := exec.Command("/proc/self/exe", append([]string{insideArg}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL, Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID |
		unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP}
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	err = cmd.Start()
	err = errors.Join(err, os.WriteFile("/sys/fs/cgroup/cgroup.procs", []byte("0"), 0))
	if err == nil {
		err = cmd.Wait()
	}
	// What was killed with its PID 1 takes a moment to leave the group.
	removeErr := removeGroups(group)
	for end := time.Now().Add(patience); removeErr != nil && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		removeErr = removeGroups(group)
	}
	if err = errors.Join(err, removeErr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func mountGroups() error {
	for _, m := range []mount.Mount{
		{Target: "/", Flags: unix.MS_PRIVATE | unix.MS_REC},
		{Source: "cgroup2", Target: "/sys/fs/cgroup", Type: "cgroup2"},
	} {
		if err := m.Do(); err != nil {
			return err
		}
	}
	return nil
}

func removeGroups(dir string) error {
	subs, err := filepath.Glob(dir + "/*/")
	for _, sub := range subs {
		err = errors.Join(err, removeGroups(filepath.Clean(sub)))
	}
	return errors.Join(err, os.Remove(dir))
}

// room is where everything inside is made; it is in memory.
const room = "/mnt"

// enclosure makes all that there is unwritable, but for a room.
func enclosure() error {
	private := mount.Mount{Target: "/", Flags: unix.MS_PRIVATE | unix.MS_REC}
	if err := private.Do(); err != nil {
		return err
	}
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	defer self.Close()
	readonly := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	if err := unix.MountSetattr(unix.AT_FDCWD, "/", unix.AT_RECURSIVE, &readonly); err != nil {
		return fmt.Errorf("make everything read-only: %w", err)
	}
	// The kernel refuses to mount a file system upon itself.
	if err := mount.Unmount("/sys/fs/cgroup", unix.MNT_DETACH); err != nil {
		return err
	}
	for _, m := range []mount.Mount{
		{Source: "proc", Target: "/proc", Type: "proc"},
		{Source: "cgroup2", Target: "/sys/fs/cgroup", Type: "cgroup2"},
		{Source: "tmpfs", Target: "/run", Type: "tmpfs", Data: []string{"mode=755"}},
		{Source: "tmpfs", Target: room, Type: "tmpfs", Data: []string{"mode=755"}},
		{Target: "/", Flags: unix.MS_SHARED | unix.MS_REC}, // as in the guest
	} {
		if err := m.Do(); err != nil {
			return err
		}
	}
	copied, err := os.OpenFile(room+"/self", os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(copied, self)
	return errors.Join(err, copied.Close())
}
