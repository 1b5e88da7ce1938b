package mount

import (
	"reflect"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// The numbers are those of linux/mount.h, written out so that a swapped row
// shows.
func TestEveryOption(t *testing.T) {
	for word, want := range map[string]uintptr{
		"ro": 1, "nosuid": 2, "nodev": 4, "noexec": 8, "sync": 16, "remount": 32, "mand": 64, "dirsync": 128,
		"noatime": 1024, "nodiratime": 2048, "bind": 4096, "rbind": 4096 | 16384,
		"relatime": 1 << 21, "strictatime": 1 << 24,
	} {
		if p := parseOptions([]string{word}); p.flags != want || p.data != nil || p.propagation != nil {
			t.Errorf("%s: %+v, want flags %#x", word, p, want)
		}
	}
	for word, want := range map[string]uintptr{
		"unbindable": 1 << 17, "private": 1 << 18, "slave": 1 << 19, "shared": 1 << 20,
		"runbindable": 1<<17 | 16384, "rprivate": 1<<18 | 16384, "rslave": 1<<19 | 16384, "rshared": 1<<20 | 16384,
	} {
		if p := parseOptions([]string{word}); p.flags != 0 || len(p.propagation) != 1 || p.propagation[0] != want {
			t.Errorf("%s: %+v, want propagation %#x", word, p, want)
		}
	}
	for word, negation := range map[string]string{
		"ro": "rw", "nosuid": "suid", "nodev": "dev", "noexec": "exec", "sync": "async", "mand": "nomand",
		"noatime": "atime", "nodiratime": "diratime", "relatime": "norelatime", "strictatime": "nostrictatime",
	} {
		if p := parseOptions([]string{word, negation}); p.flags != 0 || p.data != nil {
			t.Errorf("%s,%s: %+v", word, negation, p)
		}
	}
	if p := parseOptions([]string{"defaults", "", "size=1m", "nonesuch"}); p.flags != 0 || !reflect.DeepEqual(p.data, []string{"size=1m", "nonesuch"}) {
		t.Errorf("data: %+v", p)
	}
}

func TestExpand(t *testing.T) {
	for name, tt := range map[string]struct {
		in   specs.Mount
		want []string
	}{
		"tmpfs":     {specs.Mount{Source: "tmpfs", Destination: "/t", Type: "tmpfs"}, []string{"mount -t tmpfs tmpfs /t"}},
		"options":   {specs.Mount{Source: "tmpfs", Destination: "/t", Type: "tmpfs", Options: []string{"nosuid", "size=1m", "noexec", "defaults"}}, []string{"mount -t tmpfs -o nosuid,noexec,size=1m tmpfs /t"}},
		"bind":      {specs.Mount{Source: "/a", Destination: "/b", Options: []string{"bind"}}, []string{"mount --bind /a /b"}},
		"bind type": {specs.Mount{Source: "/a", Destination: "/b", Type: "bind"}, []string{"mount --bind /a /b"}},
		"rbind":     {specs.Mount{Source: "/a", Destination: "/b", Options: []string{"rbind", "rshared"}}, []string{"mount --rbind /a /b", "mount --make-rshared /b"}},
		"bind ro": {specs.Mount{Source: "/a", Destination: "/b", Options: []string{"bind", "ro", "nodev"}},
			[]string{"mount --bind /a /b", "mount -o remount,bind,ro,nodev /b"}},
		"remount private":    {specs.Mount{Destination: "/t", Options: []string{"remount", "private"}}, []string{"mount --make-private /t"}},
		"remount ro private": {specs.Mount{Destination: "/t", Options: []string{"remount", "ro", "private"}}, []string{"mount -o remount,ro /t", "mount --make-private /t"}},
		"shared alone":       {specs.Mount{Destination: "/t", Options: []string{"shared"}}, []string{"mount --make-shared /t"}},
		"tmpfs private":      {specs.Mount{Source: "tmpfs", Destination: "/t", Type: "tmpfs", Options: []string{"private"}}, []string{"mount -t tmpfs tmpfs /t", "mount --make-private /t"}},
		"odd characters":     {specs.Mount{Source: "/a b", Destination: "/it's", Type: "ext4"}, []string{`mount -t ext4 '/a b' '/it'\''s'`}},
	} {
		var got []string
		for _, m := range Expand(tt.in) {
			got = append(got, m.String())
		}
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s:\n got %q\nwant %q", name, got, tt.want)
		}
	}
}

func TestErrorsSayWhatTheErrnoMeans(t *testing.T) {
	overlay := Mount{Source: "overlay", Target: "/r", Type: "overlay", Data: []string{"lowerdir=/l"}}
	for _, tt := range []struct {
		err  *Error
		want string
	}{
		{&Error{"mount", overlay, unix.ENODEV}, "mount overlay on /r: the kernel has no overlay filesystem: no such device (mount -t overlay -o lowerdir=/l overlay /r)"},
		{&Error{"mount", overlay, unix.EINVAL}, "mount overlay on /r: a wrong option, or an unfit directory: invalid argument (mount -t overlay -o lowerdir=/l overlay /r)"},
		{&Error{"mount", Mount{Source: "/a", Target: "/b", Flags: unix.MS_BIND}, unix.ENOENT}, "mount /a on /b: no such source: no such file or directory (mount --bind /a /b)"},
		{&Error{"unmount", Mount{Target: "/b"}, unix.EBUSY}, "unmount /b: device or resource busy"},
	} {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}

func FuzzExpand(f *testing.F) {
	f.Add("bind,ro,private", "bind", "/a", "/b")
	f.Fuzz(func(t *testing.T, options, kind, source, target string) {
		m := specs.Mount{Type: kind, Source: source, Destination: target, Options: strings.Split(options, ",")}
		calls := Expand(m)
		if len(calls) == 0 {
			t.Error("no call")
		}
		for _, c := range calls {
			propagation := c.Flags & (unix.MS_SHARED | unix.MS_PRIVATE | unix.MS_SLAVE | unix.MS_UNBINDABLE)
			if propagation != 0 && c.Flags&^(propagation|unix.MS_REC) != 0 {
				t.Errorf("propagation beside other flags: %#x", c.Flags)
			}
			if c.Target != target {
				t.Errorf("target %q", c.Target)
			}
		}
	})
}
