package main

import (
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// namespaceArg re-executes this program as PID 1 of its own namespaces, with
// the root file system of an image as its root.
const namespaceArg = "in-namespace"

// hostStacks run in namespaces. Each has a command for onboot and one for the
// services; both return when their containers have run, or are started.
var hostStacks = []struct {
	name             string
	stack            stack
	onboot, services string
}{
	{"fork with namespaces", stack{"host-fork", []string{imgTestinit}, nil}, forkOnboot, forkServices},
	{"plain runc run", stack{"host-runc", []string{imgTestinit, imgRunc}, nil}, runcOnboot, runcServices},
	{"slipway", stack{"host-slipway", []string{imgTestinit, imgRunc, imgService}, nil},
		"/etc/init.d/010-onboot", "/etc/init.d/020-services"},
}

const (
	eachOnboot   = prepareScript + "\nfor b in /containers/onboot/*; do prepare $b; "
	eachService  = prepareScript + "\nfor b in /containers/services/*; do prepare $b; "
	forkOnboot   = eachOnboot + "unshare -m -p -f chroot $b/rootfs /bin/true; done"
	forkServices = eachService + "unshare -m -p -f chroot $b/rootfs /bin/sleep 1000 & done"
	runcOnboot   = eachOnboot + "runc run --bundle $b ${b##*/} </dev/null; done"
	runcServices = eachService + "runc run --detach --bundle $b ${b##*/} </dev/null >/dev/null 2>&1; done"
)

func (b *bench) partHost() (string, error) {
	if os.Getuid() != 0 {
		return "", errors.New("needs root, for namespaces")
	}
	var rows []hostRow
	for _, h := range hostStacks {
		if !b.wanted(h.name) {
			continue
		}
		root, err := b.unpack(h.stack)
		if err != nil {
			return "", err
		}
		var onboot, services []float64
		for range b.rounds {
			one, two, err := timeInNamespace(root, h.onboot, h.services)
			if err != nil {
				return "", fmt.Errorf("%s: %w", h.name, err)
			}
			onboot, services = append(onboot, one), append(services, two)
		}
		rows = append(rows, hostRow{h.name, median(onboot), median(services)})
		log.Printf("host, %s: onboot %.3f s, services %.3f s", h.name, median(onboot), median(services))
	}
	return hostTable(rows), nil
}

// unpack makes the root file system of a stack a directory.
func (b *bench) unpack(s stack) (string, error) {
	yml := b.file(s) + ".yml"
	if err := os.WriteFile(yml, []byte(s.yaml(b.count, true)), 0o644); err != nil {
		return "", err
	}
	if err := b.command("build", "--format", "tar", "--dir", b.dir, "--name", s.name, yml); err != nil {
		return "", err
	}
	root := b.file(s)
	if err := os.MkdirAll(root, 0o755); err != nil {
		return "", err
	}
	out, err := exec.Command("tar", "-xf", b.file(s)+".tar", "-C", root).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("unpack %s: %w\n%s", s.name, err, out)
	}
	return root, nil
}

func timeInNamespace(root string, commands ...string) (onboot, services float64, err error) {
	cmd := exec.Command("/proc/self/exe", append([]string{namespaceArg, root}, commands...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWNET,
		Pdeathsig:  syscall.SIGKILL,
	}
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return 0, 0, err
	}
	fields := strings.Fields(string(out))
	if len(fields) != 2 {
		return 0, 0, fmt.Errorf("want two times, got %q", out)
	}
	onboot, err = strconv.ParseFloat(fields[0], 64)
	if err != nil {
		return 0, 0, err
	}
	services, err = strconv.ParseFloat(fields[1], 64)
	return onboot, services, err
}

// inNamespace is PID 1 of the namespaces: args are the root and the commands to
// time. It prints the seconds of each. Whatever still runs dies with it.
func inNamespace(args []string) error {
	if err := enterRoot(args[0]); err != nil {
		return err
	}
	for _, command := range args[1:] {
		start := time.Now()
		cmd := exec.Command("/bin/sh", "-c", command)
		cmd.Env = []string{"PATH=/usr/bin:/bin:/usr/sbin:/sbin"}
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s: %w", command, err)
		}
		fmt.Println(time.Since(start).Seconds())
	}
	return nil
}

func enterRoot(root string) error {
	mounts := []struct {
		source, target, kind string
		flags                uintptr
		data                 string
	}{
		{"", "/", "", unix.MS_REC | unix.MS_PRIVATE, ""},
		{root, root, "", unix.MS_BIND, ""},
		{"proc", "proc", "proc", 0, ""},
		{"sysfs", "sys", "sysfs", 0, ""},
		{"cgroup2", "sys/fs/cgroup", "cgroup2", 0, ""},
		{"tmpfs", "run", "tmpfs", 0, "mode=755"},
		{"tmpfs", "var", "tmpfs", 0, "mode=755"},
		{"tmpfs", "tmp", "tmpfs", 0, "mode=1777"},
		{"/dev", "dev", "", unix.MS_BIND | unix.MS_REC, ""},
	}
	for _, m := range mounts {
		target := m.target
		if !filepath.IsAbs(target) {
			target = filepath.Join(root, target)
			if err := os.MkdirAll(target, 0o755); err != nil {
				return err
			}
		}
		if err := unix.Mount(m.source, target, m.kind, m.flags, m.data); err != nil {
			return fmt.Errorf("mount %s: %w", target, err)
		}
	}
	if err := os.Chdir(root); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return err
	}
	for _, dir := range []string{"/var/log", "/run/log"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	return os.Chdir("/")
}
