//go:build !linux

package output

import "os"

// Elsewhere what goes through a pipe is copied.
func widen(*os.File) {}

func splice(*os.File, *os.File, int64, int64) (int64, error) { return 0, nil }
