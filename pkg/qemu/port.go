package qemu

import (
	"io"
	"net"
	"os"
)

// openPort makes the connection behind Config.Port.
func openPort(c Config) (ours net.Conn, theirs *os.File, err error) {
	if c.Port == "" {
		return nil, nil, nil
	}
	return socketPair("port")
}

// readPort hands what the guest writes on its port to read, and throws away what
// that leaves: the guest must not wait for it.
func (vm *VM) readPort(conn net.Conn, read func(io.Reader)) {
	if read != nil {
		read(conn)
	}
	_, err := io.Copy(io.Discard, conn)
	if cerr := conn.Close(); err == nil {
		err = cerr
	}
	vm.drained <- err
}
