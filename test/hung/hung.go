// Package hung makes file systems on which every call hangs, as on one whose
// server or disk is gone: FUSE without anybody who answers.
package hung

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Mount mounts one on dir, which takes root. Whoever touches it waits, and cannot
// be killed once the call is under way for long, until release is called: then
// all that waits fails, and it is unmounted.
func Mount(dir string) (release func() error, err error) {
	_, release, err = mount(dir, unix.S_IFDIR)
	return release, err
}

func mount(on string, mode int) (server *os.File, release func() error, err error) {
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("open /dev/fuse: %w", err)
	}
	server = os.NewFile(uintptr(fd), "/dev/fuse")
	options := fmt.Sprintf("fd=%d,rootmode=%o,user_id=0,group_id=0,allow_other", fd, mode)
	if err := unix.Mount("hung", on, "fuse", 0, options); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("mount fuse on %s: %w", on, err), server.Close())
	}
	return server, func() error {
		// Force aborts what waits; a program that is being executed may hold a copy
		// of the server's descriptor, so closing ours would not.
		err := unix.Unmount(on, unix.MNT_FORCE)
		if errors.Is(err, unix.EBUSY) {
			err = unix.Unmount(on, unix.MNT_DETACH)
		}
		return errors.Join(err, server.Close())
	}, nil
}

// What a server says, of the kernel's include/uapi/linux/fuse.h: the number of a call,
// where in a message it stands, and the length of answers.
const (
	fuseInit, fuseOpen           = 26, 14
	opAt, uniqueAt, headLen      = 4, 8, 16
	initLen, openLen, maxMessage = 64, 16, 1 << 17
	major, minor                 = 7, 23
)

// File makes a file below dir that can be opened, and hangs in everything else, its
// close too, until release is called. It takes root.
func File(dir string) (f *os.File, release func() error, err error) {
	name := dir + "/file"
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		return nil, nil, err
	}
	server, unmount, err := mount(name, unix.S_IFREG)
	if err != nil {
		return nil, nil, err
	}
	served := make(chan error, 1)
	go func() { served <- serve(server) }()
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0) // os.Open asks for more
	if err != nil {
		return nil, nil, errors.Join(err, unmount(), <-served)
	}
	f = os.NewFile(uintptr(fd), name)
	return f, func() error {
		err := unmount()
		// Its server is gone, and so it says.
		if closeErr := f.Close(); !errors.Is(closeErr, unix.ENOTCONN) {
			err = errors.Join(err, closeErr)
		}
		return err
	}, <-served
}

// serve answers until the file is open.
func serve(server *os.File) error {
	message := make([]byte, maxMessage)
	for {
		if _, err := server.Read(message); err != nil {
			return fmt.Errorf("serve fuse: %w", err)
		}
		op, length := binary.NativeEndian.Uint32(message[opAt:]), openLen
		answer := make([]byte, headLen+initLen)
		if op == fuseInit {
			length = initLen
			binary.NativeEndian.PutUint32(answer[headLen:], major)
			binary.NativeEndian.PutUint32(answer[headLen+4:], minor)
		}
		answer = answer[:headLen+length]
		binary.NativeEndian.PutUint32(answer, uint32(len(answer)))
		copy(answer[uniqueAt:headLen], message[uniqueAt:headLen])
		if _, err := server.Write(answer); err != nil {
			return fmt.Errorf("serve fuse: %w", err)
		}
		if op == fuseOpen {
			return nil
		}
	}
}
