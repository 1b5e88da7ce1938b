package input

import "golang.org/x/sys/unix"

// isPipe tells a pipe without a name of its own, whose other end is in some process
// already, from a FIFO in a directory.
func isPipe(name string) bool {
	var at unix.Statfs_t
	return unix.Statfs(name, &at) == nil && at.Type == unix.PIPEFS_MAGIC
}
