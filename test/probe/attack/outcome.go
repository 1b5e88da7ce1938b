package attack

import (
	"errors"
	"slices"

	"golang.org/x/sys/unix"
)

// Outcomes that are no name of an errno.
const (
	Allowed  = "allowed"
	NotThere = "not there"
	// Crashed and Hangs are those of an attack that does not end by itself.
	Crashed = "crashed"
	Hangs   = "hangs"
)

// refused is a refusal that no errno tells: what was found instead.
type refused string

func (r refused) Error() string { return string(r) }

const (
	masked = refused("masked") // another file or an empty directory lies over it
	inside = refused("inside") // it was done, and led nowhere
	hidden = refused("hidden") // what can be read says nothing
)

// absent are the answers of a kernel or a container that lacks the thing.
var absent = []unix.Errno{
	unix.ENOENT, unix.ENOSYS, unix.ENXIO, unix.ENODEV, unix.ESRCH, unix.ENOPROTOOPT,
	unix.EAFNOSUPPORT, unix.ESOCKTNOSUPPORT, unix.EPROTONOSUPPORT, unix.EOPNOTSUPP, unix.ECONNREFUSED,
}

// Outcome puts the result of an attack in a word: Allowed, NotThere, or else why
// it was refused: the name of an errno, or masked, inside, hidden.
func Outcome(err error) string {
	if err == nil {
		return Allowed
	}
	var why refused
	if errors.As(err, &why) {
		return string(why)
	}
	var errno unix.Errno
	if !errors.As(err, &errno) {
		return Crashed
	}
	if slices.Contains(absent, errno) {
		return NotThere
	}
	return unix.ErrnoName(errno)
}

// past is for calls that are made so that they fail: the kernel has granted the
// permission if it complains of what it only looks at afterwards.
func past(err error, complaints ...unix.Errno) error {
	var errno unix.Errno
	if errors.As(err, &errno) && slices.Contains(complaints, errno) {
		return nil
	}
	return err
}
