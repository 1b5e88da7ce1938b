package reap

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Ident names a process in a way that survives the reuse of its pid.
type Ident struct {
	Pid int
	// Start is when it started, in clock ticks since boot: field 22 of
	// /proc/PID/stat, proc(5). 0 is unknown.
	Start uint64
}

// Identify reads the start time of a process or zombie.
func Identify(pid int) (Ident, error) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return Ident{}, fmt.Errorf("process %d: %w", pid, unix.ESRCH)
	}
	if err != nil {
		return Ident{}, err
	}
	start, _, err := parseStat(data)
	if err != nil {
		return Ident{}, fmt.Errorf("process %d: %w", pid, err)
	}
	return Ident{Pid: pid, Start: start}, nil
}

// parseStat returns the start time, and whether all threads have ended. The command's name, in parentheses,
// may itself hold blanks and parentheses: fields are counted after the last.
func parseStat(data []byte) (start uint64, ended bool, err error) {
	end := bytes.LastIndexByte(data, ')')
	fields := bytes.Fields(data[end+1:])
	const startField, threadsField = 22 - 3, 20 - 3 // state, the first here, is field 3
	if end < 0 || len(fields) <= startField {
		return 0, false, errors.New("stat is cut short")
	}
	if start, err = strconv.ParseUint(string(fields[startField]), 10, 64); err != nil {
		return 0, false, fmt.Errorf("start time: %w", err)
	}
	// The state is the first thread's, which counts until the last has ended.
	one := string(fields[threadsField]) == "1" || string(fields[threadsField]) == "0"
	state := fields[0][0]
	return start, state == 'X' || state == 'Z' && one, nil
}

// Alive tells whether this very process still runs. A zombie does not, but one of
// whose threads others go on does: nobody can be told how it ended.
func (id Ident) Alive() bool {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(id.Pid) + "/stat")
	if err != nil {
		return false
	}
	start, ended, err := parseStat(data)
	return err == nil && start == id.Start && !ended
}

// Open returns a pidfd of this very process, or ESRCH when it is gone. The fd
// polls readable when the process ends.
func (id Ident) Open() (int, error) {
	fd, err := unix.PidfdOpen(id.Pid, 0)
	if errors.Is(err, unix.EINVAL) {
		// It is gone, and its number is still that of a group or session.
		err = unix.ESRCH
	}
	if err != nil {
		return -1, fmt.Errorf("open process %d: %w", id.Pid, err)
	}
	// With the fd open the pid cannot be reused unseen: if the start time is
	// right now, the fd is of the process that was meant.
	now, err := Identify(id.Pid)
	if err == nil && now.Start != id.Start {
		err = fmt.Errorf("process %d is another one now: %w", id.Pid, unix.ESRCH)
	}
	if err != nil {
		return -1, errors.Join(err, unix.Close(fd))
	}
	return fd, nil
}

// Signal sends sig to this very process and never to a later owner of its pid.
// ESRCH says that it is gone.
func (id Ident) Signal(sig unix.Signal) error {
	fd, err := id.Open()
	if err != nil {
		return err
	}
	if err := unix.PidfdSendSignal(fd, sig, nil, 0); err != nil {
		return errors.Join(fmt.Errorf("send %s to process %d: %w", unix.SignalName(sig), id.Pid, err), unix.Close(fd))
	}
	return unix.Close(fd)
}
