package memory

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// Free is what the machine has left, in bytes: free, or in the cache of files.
// MemAvailable counts half of all sockets in, which cannot be had back. The part that
// the kernel keeps for itself (vm.min_free_kbytes, up to its low mark, a quarter
// more) is nobody else's.
func Free() (uint64, error) {
	text, err := os.ReadFile("/proc/sys/vm/min_free_kbytes")
	if err != nil {
		return 0, err
	}
	own, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("/proc/sys/vm/min_free_kbytes: %w", err)
	}
	m, err := meminfo("MemFree", "Active(file)", "Inactive(file)")
	return free(m, own<<10/4*5), err
}

func free(m map[string]uint64, own uint64) uint64 {
	sum := m["MemFree"] + m["Active(file)"] + m["Inactive(file)"]
	return sum - min(sum, own)
}

// meminfo reads figures of /proc/meminfo, in bytes. It is an error if one is not there.
func meminfo(names ...string) (map[string]uint64, error) {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	all, err := figures(f)
	if err != nil {
		return nil, fmt.Errorf("/proc/meminfo: %w", err)
	}
	m := map[string]uint64{}
	for _, name := range names {
		kb, is := all[name+":"]
		if !is {
			return nil, errors.New("/proc/meminfo does not say " + name)
		}
		m[name] = kb << 10
	}
	return m, nil
}

// figures reads lines of a name, a number, and perhaps a unit.
func figures(r io.Reader) (map[string]uint64, error) {
	all := map[string]uint64{}
	s := bufio.NewScanner(r)
	for s.Scan() {
		words := strings.Fields(s.Text())
		if len(words) < 2 {
			continue
		}
		if n, err := strconv.ParseUint(words[1], 10, 64); err == nil {
			all[words[0]] = n
		}
	}
	return all, s.Err()
}
