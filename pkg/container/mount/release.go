package mount

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Release unmounts all that is chosen and not needed, the newest first. It forces
// nothing: what is in use, here or where it was propagated, stays, and the error
// names it and who holds it.
func Release(chosen, needed func(Entry) bool) error {
	deadline := time.Now().Add(maxWait)
	for pause := time.Millisecond; ; pause *= 2 {
		busy, err := releaseOnce(chosen, needed)
		if err != nil || len(busy) == 0 {
			return err
		}
		if time.Now().Add(pause).After(deadline) {
			var faults []error
			for _, target := range busy {
				faults = append(faults, fmt.Errorf("unmount %s: %w, held by %s", target, unix.EBUSY, holdersOf(target)))
			}
			return errors.Join(faults...)
		}
		time.Sleep(pause)
	}
}

func releaseOnce(chosen, needed func(Entry) bool) (busy []string, err error) {
	table, err := Table()
	if err != nil {
		return nil, err
	}
	stays := map[string]bool{} // by target: an unmount takes what lies on top
	for _, e := range InnermostFirst(table, "/") {
		if stays[e.Target] || !chosen(e) || needed(e) {
			stays[e.Target] = true
			continue
		}
		switch err := Unmount(e.Target, 0); {
		case errors.Is(err, unix.EBUSY):
			stays[e.Target] = true
			busy = append(busy, e.Target)
		case err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT):
			return nil, err
		}
	}
	return busy, nil
}
