package attack

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// Each takes up to a bound that does not harm the machine, and gives it back.
var resources = []Attack{
	{Name: "fill-root", What: "fill its writable layer with more than three eighths of the machine's memory", Try: func() error { return fills("/mnt") }},
	{Name: "fill-dev", What: "fill `/dev` with as much", Try: func() error { return fills("/dev") }},
	{Name: "fill-shm", What: "as much System V memory, which outlives the container", Try: shareMemory},
	{Name: "fill-memfd", What: "as much in a `memfd`", Try: fillMemfd,
		Why: "It is memory of the container: its limit and that of all hold, and it goes with the last process that has it open."},
	{Name: "inodes", What: "room for more empty files than an eighth of the memory holds (1 KB each)", Try: manyInodes},
	{Name: "access-list", What: "an access list of 64 KB for a directory, in the kernel's memory", Try: accessList},
	{Name: "open-files", What: "an eighth of all files that the machine may open, in one process", Try: openFiles},
	{Name: "queues", What: "64 POSIX message queues of the machine's", Try: manyQueues},
	{Name: "semaphores", What: "200 sets of System V semaphores of the machine's", Try: manySemaphores, Why: sharedIPC + " The kernel has 32,000."},
	{Name: "processes", What: "1,200 processes", Try: manyProcesses},
}

// share is three eighths of the machine's memory.
func share() (int64, error) {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 0, err
	}
	return int64(info.Totalram) * int64(info.Unit) / 8 * 3, nil
}

// fills asks a file system for room, which a tmpfs looks at before it takes any.
func fills(dir string) error {
	size, err := share()
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "fill")
	if err != nil {
		return err
	}
	return errors.Join(unix.Fallocate(int(f.Fd()), 0, 0, size), f.Close(), os.Remove(f.Name()))
}

func shareMemory() error {
	size, err := share()
	if err != nil {
		return err
	}
	id, err := unix.SysvShmGet(unix.IPC_PRIVATE, int(size), unix.IPC_CREAT|0o600)
	if err != nil {
		return err
	}
	_, err = unix.SysvShmCtl(id, unix.IPC_RMID, nil)
	return err
}

func fillMemfd() error {
	size, err := share()
	if err != nil {
		return err
	}
	fd, err := unix.MemfdCreate("probe", unix.MFD_CLOEXEC)
	if err != nil {
		return err
	}
	return errors.Join(unix.Fallocate(fd, 0, 0, size), unix.Close(fd))
}

func manyInodes() error {
	var fs unix.Statfs_t
	if err := unix.Statfs("/mnt", &fs); err != nil {
		return err
	}
	size, err := share()
	if err != nil {
		return err
	}
	if int64(fs.Ffree)*1024 <= size/3 {
		return unix.ENOSPC
	}
	return nil
}

// accessList is that of acl(5), as the kernel takes it: version, then tag, permissions and
// user of each entry (linux/posix_acl_xattr.h).
func accessList() error {
	const owner, user, group, mask, other, nobody = 1, 2, 4, 0x10, 0x20, math.MaxUint32
	list := binary.LittleEndian.AppendUint32(nil, 2)
	add := func(tag uint16, id uint32) {
		list = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(list, tag), 7), id)
	}
	add(owner, nobody)
	for id := range uint32(8000) {
		add(user, id)
	}
	for _, tag := range []uint16{group, mask, other} {
		add(tag, nobody)
	}
	dir := "/mnt/listed"
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	return errors.Join(unix.Setxattr(dir, "system.posix_acl_access", list, 0), os.Remove(dir))
}

func openFiles() error {
	text, err := os.ReadFile("/proc/sys/fs/file-max")
	if err != nil {
		return err
	}
	var most int64
	if _, err := fmt.Sscan(string(text), &most); err != nil {
		return err
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	limit.Cur = limit.Max
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	most /= 8
	const tries = 20000
	for range min(most, tries) {
		if _, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
			return err
		}
	}
	if most > tries {
		return inside
	}
	return nil
}

func manyQueues() (err error) {
	const most = 64
	for i := 0; i < most && err == nil; i++ {
		var fd int
		name := "probe-" + itoa(i)
		if fd, err = openQueue(name, unix.O_RDWR|unix.O_CREAT); err == nil {
			defer unix.Close(fd)
			defer undo(unix.SYS_MQ_UNLINK, text(name))
		}
	}
	return err
}

func manySemaphores() (err error) {
	const most = 200
	for i := 0; i < most && err == nil; i++ {
		var id uintptr
		if id, err = call(unix.SYS_SEMGET, unix.IPC_PRIVATE, 1, unix.IPC_CREAT|0o600); err == nil {
			defer undo(unix.SYS_SEMCTL, id, 0, unix.IPC_RMID, 0)
		}
	}
	return err
}

func manyProcesses() (err error) {
	const most = 1200
	var pids []int
	for range most {
		var pid int
		if pid, err = forkSleeper(); err != nil {
			break
		}
		pids = append(pids, pid)
	}
	for _, pid := range pids {
		err = errors.Join(err, unix.Kill(pid, unix.SIGKILL))
	}
	for _, pid := range pids {
		_, waitErr := unix.Wait4(pid, nil, 0, nil)
		err = errors.Join(err, waitErr)
	}
	if err != nil {
		Detail("%d processes", len(pids))
	}
	return err
}
