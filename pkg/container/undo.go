package container

import (
	"errors"
	"slices"
)

// undo takes back one thing that a start has done.
type undo struct {
	do func() error
	// lasting: it stays when the container has ended, and is undone only if the
	// start fails.
	lasting bool
}

// undoing is all that a start has done, in that order.
type undoing []undo

// ofTheContainer is what does not outlast it; never nil.
func (u undoing) ofTheContainer() undoing {
	own := undoing{}
	for _, one := range u {
		if !one.lasting {
			own = append(own, one)
		}
	}
	return own
}

// run undoes the last first, and goes on when one fails.
func (u undoing) run() error {
	var faults []error
	for _, one := range slices.Backward(u) {
		faults = append(faults, one.do())
	}
	return errors.Join(faults...)
}
