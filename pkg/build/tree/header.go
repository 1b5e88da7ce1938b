package tree

import (
	"archive/tar"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

// What Linux itself can hold. A tar may say more than that, and no format that a
// machine boots from could keep it.
const (
	maxTarget = maxPath - 1        // of a symbolic link, without its null
	maxID     = math.MaxUint32 - 1 // the highest one means "no owner" to chown(2)
	maxMajor  = 1<<12 - 1          // MKDEV in include/linux/kdev_t.h
	maxMinor  = 1<<20 - 1
	maxXattr  = 64 << 10 // XATTR_SIZE_MAX in include/uapi/linux/limits.h
)

var errSkip = errors.New("nothing to place")

// fromHeader translates a header; the content of files is read elsewhere.
func fromHeader(h *tar.Header) (Entry, error) {
	e := Entry{
		Type: h.Typeflag, Mode: h.Mode & 0o7777, UID: h.Uid, GID: h.Gid,
		ModTime: time.Unix(h.ModTime.Unix(), 0), Major: h.Devmajor, Minor: h.Devminor,
	}
	for k, v := range h.PAXRecords {
		if name, ok := strings.CutPrefix(k, "SCHILY.xattr."); ok {
			if e.Xattrs == nil {
				e.Xattrs = map[string]string{}
			}
			e.Xattrs[name] = v
		}
	}
	switch h.Typeflag {
	case tar.TypeCont, tar.TypeGNUSparse:
		e.Type = tar.TypeReg
	case tar.TypeSymlink:
		e.Link = h.Linkname
	case tar.TypeReg, tar.TypeDir, tar.TypeLink, tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
	case tar.TypeXGlobalHeader:
		return e, errSkip
	default:
		return e, fmt.Errorf("entry of unknown type %q", h.Typeflag)
	}
	return e, e.check()
}

// check finds what Linux cannot hold. To cut an owner's number down to size would
// give the file to somebody else.
func (e *Entry) check() error {
	device := e.Type == tar.TypeChar || e.Type == tar.TypeBlock
	switch {
	case e.UID < 0 || e.UID > maxID || e.GID < 0 || e.GID > maxID:
		return fmt.Errorf("owner %d:%d, and Linux has numbers from 0 to %d", e.UID, e.GID, int64(maxID))
	case e.Type == tar.TypeSymlink && (e.Link == "" || len(e.Link) > maxTarget):
		return fmt.Errorf("a symbolic link of %d bytes, and Linux has 1 to %d", len(e.Link), maxTarget)
	case device && (e.Major < 0 || e.Major > maxMajor || e.Minor < 0 || e.Minor > maxMinor):
		return fmt.Errorf("device %d:%d, and Linux has up to %d:%d", e.Major, e.Minor, maxMajor, maxMinor)
	}
	for name, value := range e.Xattrs {
		if len(name) > maxName || len(value) > maxXattr {
			return fmt.Errorf("attribute %s of %d bytes, and Linux has names of %d and values of %d", shorten(name), len(value), maxName, maxXattr)
		}
	}
	return nil
}
