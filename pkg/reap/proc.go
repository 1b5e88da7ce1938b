package reap

import (
	"os"
	"path"
	"strconv"
	"time"
)

// procTimeout is how long ReadProc waits.
const procTimeout = time.Second

// ReadProc reads one of the files of /proc/PID for which the kernel takes a lock
// of that process: cmdline, environ, maps. A process that hangs in the kernel may
// hold it for ever; then, or if it has ended, there is nothing.
func ReadProc(pid int, file string) []byte {
	read := make(chan []byte, 1)
	go func() {
		data, err := os.ReadFile(path.Join("/proc", strconv.Itoa(pid), file))
		if err != nil {
			data = nil
		}
		read <- data
	}()
	select {
	case data := <-read:
		return data
	case <-time.After(procTimeout):
		return nil
	}
}
