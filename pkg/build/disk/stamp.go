package disk

import (
	"encoding/binary"
	"time"

	"slipway/pkg/build/tree"
)

// go-diskfs writes the time of day into what it makes. It can be told another
// time by SOURCE_DATE_EPOCH, but that is the environment of the whole process,
// and mksquashfs, which we start, refuses to run with it. So the few times that
// a medium holds are set once it is made.

// Layout of FAT32 as fat32.Create makes it: the root directory is cluster 2, EFI
// and EFI/BOOT are the clusters behind it, each as large as one cluster.
const (
	fatDirectories = 3
	fatEntry       = 32
	fatLongName    = 0x0f
)

// stampFAT sets the times of the directories' entries, and the serial number in the
// boot sector and its backup. It also mends what fsck.fat complains of: ".." of
// a directory in the root directory is cluster 0 by the specification.
func stampFAT(m *medium, start int64, sum []byte) error {
	boot := make([]byte, sector)
	if _, err := m.ReadAt(boot, start); err != nil {
		return err
	}
	for _, backup := range []int64{0, int64(binary.LittleEndian.Uint16(boot[50:]))} {
		if _, err := m.WriteAt(sum[:4], start+backup*sector+67); err != nil {
			return err
		}
	}
	cluster := int64(boot[13]) * sector
	reserved := int64(binary.LittleEndian.Uint16(boot[14:]))
	tables := int64(boot[16]) * int64(binary.LittleEndian.Uint32(boot[36:]))
	directories := make([]byte, fatDirectories*cluster)
	at := start + (reserved+tables)*sector
	if _, err := m.ReadAt(directories, at); err != nil {
		return err
	}
	for e := directories; len(e) > 0; e = e[fatEntry:] {
		if e[0] != 0 && e[11] != fatLongName {
			stampFATEntry(e, tree.Epoch)
		}
	}
	up := directories[cluster+fatEntry:] // the second entry of EFI
	binary.LittleEndian.PutUint16(up[26:], 0)
	_, err := m.WriteAt(directories, at)
	return err
}

// stampFATEntry sets creation, access and modification: dates count from 1980,
// times in steps of two seconds.
func stampFATEntry(e []byte, t time.Time) {
	date := uint16((t.Year()-1980)<<9 | int(t.Month())<<5 | t.Day())
	clock := uint16(t.Hour()<<11 | t.Minute()<<5 | t.Second()/2)
	e[13] = 0 // hundredths of a second
	binary.LittleEndian.PutUint16(e[14:], clock)
	binary.LittleEndian.PutUint16(e[16:], date)
	binary.LittleEndian.PutUint16(e[18:], date)
	binary.LittleEndian.PutUint16(e[22:], clock)
	binary.LittleEndian.PutUint16(e[24:], date)
}

// Layout of ISO 9660 (ECMA-119): blocks of 2048 bytes, the primary volume
// descriptor in block 16, the root directory's record and four times in it.
const (
	isoBlock      = 2048
	isoDescriptor = 16 * isoBlock
	isoRootRecord = 156
	isoTimes      = 813
	isoTimeSize   = 17
)

// stampISO sets the times of the volume and of the root directory's entries.
func stampISO(m *medium) error {
	d := make([]byte, isoBlock)
	if _, err := m.ReadAt(d, isoDescriptor); err != nil {
		return err
	}
	made := tree.Epoch.Format("20060102150405") + "00\x00"
	never := "0000000000000000\x00"
	for i, t := range []string{made, made, never, never} { // creation, modification, expiry, effect
		copy(d[isoTimes+i*isoTimeSize:], t)
	}
	root := d[isoRootRecord:]
	stampISORecord(root)
	if _, err := m.WriteAt(d, isoDescriptor); err != nil {
		return err
	}
	at := int64(binary.LittleEndian.Uint32(root[2:])) * isoBlock
	directory := make([]byte, binary.LittleEndian.Uint32(root[10:]))
	if _, err := m.ReadAt(directory, at); err != nil {
		return err
	}
	for r := directory; len(r) > 0 && r[0] != 0; r = r[r[0]:] {
		stampISORecord(r)
	}
	_, err := m.WriteAt(directory, at)
	return err
}

func stampISORecord(r []byte) {
	t := tree.Epoch
	copy(r[18:25], []byte{byte(t.Year() - 1900), byte(t.Month()), byte(t.Day()), byte(t.Hour()), byte(t.Minute()), byte(t.Second()), 0})
}
