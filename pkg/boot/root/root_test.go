package root

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestChoose(t *testing.T) {
	const ext4 = 0xef53
	for name, c := range map[string]struct {
		facts Facts
		want  Method
	}{
		"payload":             {Facts{Payload: true, Magic: unix.RAMFS_MAGIC}, Payload},
		"payload on 7.0":      {Facts{Payload: true, Magic: unix.RAMFS_MAGIC, HasParent: true}, Payload},
		"payload, modules":    {Facts{Payload: true, Bootstrap: true, Magic: unix.RAMFS_MAGIC}, Payload},
		"bootstrap":           {Facts{Bootstrap: true, Magic: unix.RAMFS_MAGIC}, Disk},
		"ramfs":               {Facts{Magic: unix.RAMFS_MAGIC}, Bind},
		"tmpfs":               {Facts{Magic: unix.TMPFS_MAGIC}, Bind},
		"powerful container":  {Facts{Magic: unix.TMPFS_MAGIC, Powerful: true}, Copy},
		"initramfs on nullfs": {Facts{Magic: unix.TMPFS_MAGIC, HasParent: true, Powerful: true}, Nothing},
		"disk":                {Facts{Magic: ext4}, Nothing},
		"squashfs":            {Facts{Magic: unix.SQUASHFS_MAGIC, Powerful: true}, Nothing},
	} {
		if got := Choose(c.facts); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestInitramfsHasParent(t *testing.T) {
	for release, want := range map[string]bool{
		"6.1.0-56-cloud-amd64": false, "6.12.59-linuxkit": false, "7.0.0-rc1": true, "10.2.1": true, "garbage": false, "": false,
	} {
		if got := initramfsHasParent(release); got != want {
			t.Errorf("%q: %v", release, got)
		}
	}
}

// In doubt the answer is yes: the copy is slower, but never weaker.
func TestPowerful(t *testing.T) {
	for config, want := range map[string]bool{
		`{"bounding":["CAP_SYS_ADMIN"]}`:                         false,
		`{"bounding":["CAP_SYS_CHROOT"]}`:                        false,
		`{"bounding":["CAP_SYS_CHROOT","CAP_SYS_ADMIN"]}`:        true,
		`{"bounding":["CAP_SYS_CHROOT","CAP_SYS_\u0041DMIN"]}`:   true,
		`{"args":["sh","-c","a \u0026\u0026 b"]}`:                false,
		`{"bounding":["CAP\u005fSYS_CHROOT","CAP\u005fSYS_ADM"}`: true,
		``: false,
	} {
		if got := powerful([]byte(config)); got != want {
			t.Errorf("%s: %v", config, got)
		}
	}
}

func TestRootOption(t *testing.T) {
	for cmdline, want := range map[string]string{
		"console=ttyS0 root=/dev/vda":         "/dev/vda",
		"root=/dev/sda root=/dev/vdb quiet\n": "/dev/vdb",
		"console=ttyS0 myroot=/dev/vda":       "",
		"":                                    "",
	} {
		if got := rootOption(cmdline); got != want {
			t.Errorf("%q: %q, want %q", cmdline, got, want)
		}
	}
}
