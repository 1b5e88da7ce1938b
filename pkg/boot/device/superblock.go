package device

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
)

// superblock says where a filesystem keeps its magic number, UUID and label.
type superblock struct {
	name        string
	at          int // of the magic
	magic       string
	uuid        int // offset; 0: none
	uuidSize    int // 16, or 4 for the serial number of FAT
	label, size int // offset and length; 0: none
}

// superblocks are those of Linux's disk filesystems and of swap, by the kernel's
// own headers. What is in front of the list wins.
var superblocks = []superblock{
	{"ext4", 0x438, "\x53\xef", 0x468, 16, 0x478, 16},
	{"xfs", 0, "XFSB", 0x20, 16, 0x6c, 12},
	{"btrfs", 0x10040, "_BHRfS_M", 0x10020, 16, 0x1012b, 256},
	{"erofs", 0x400, "\xe2\xe1\xf5\xe0", 0x430, 16, 0x440, 16},
	{"f2fs", 0x400, "\x10\x20\xf5\xf2", 0x46c, 16, 0, 0},
	{"swap", 0xff6, "SWAPSPACE2", 0x40c, 16, 0x41c, 16},
	{"vfat", 0x52, "FAT32   ", 0x43, 4, 0x47, 11},
	{"vfat", 0x36, "FAT16   ", 0x27, 4, 0x2b, 11},
	{"vfat", 0x36, "FAT12   ", 0x27, 4, 0x2b, 11},
	{"iso9660", 0x8001, "CD001", 0, 0, 0x8028, 32},
}

// probeSize is how much of a disk identify looks at.
const probeSize = 0x10000 + 0x1000

// identify finds the UUID and the label in the first bytes of a disk; either is
// "" if there is none.
func identify(data []byte) (uuid, label string) {
	for _, s := range superblocks {
		if len(data) < s.at+len(s.magic) || string(data[s.at:s.at+len(s.magic)]) != s.magic {
			continue
		}
		if s.uuidSize > 0 && len(data) >= s.uuid+s.uuidSize {
			uuid = formatUUID(data[s.uuid : s.uuid+s.uuidSize])
		}
		if s.size > 0 && len(data) >= s.label+s.size {
			text, _, _ := bytes.Cut(data[s.label:s.label+s.size], []byte{0})
			label = strings.TrimRight(string(text), " ")
		}
		if s.name == "vfat" && label == "NO NAME" {
			label = ""
		}
		return uuid, label
	}
	return "", ""
}

// formatUUID writes it as people do: a FAT serial number as XXXX-XXXX, highest
// byte first. All zeros is none.
func formatUUID(b []byte) string {
	if len(bytes.Trim(b, "\x00")) == 0 {
		return ""
	}
	if len(b) == 4 {
		return fmt.Sprintf("%02X%02X-%02X%02X", b[3], b[2], b[1], b[0])
	}
	h := hex.EncodeToString(b)
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}

// linkName makes a file name of what a disk says, with udev's escapes: whoever
// made the disk must not choose where the link is made.
func linkName(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c >= 0x80,
			strings.IndexByte("#+-.:=@_", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, `\x%02x`, c)
		}
	}
	if name := b.String(); name != "." && name != ".." && len(name) < 250 {
		return name
	}
	return ""
}
