package images

import (
	"archive/tar"
	"testing"
)

func TestMatching(t *testing.T) {
	content := Tree{
		"usr/lib/boot":             {Type: tar.TypeDir},
		"usr/lib/boot/linuxx64.a":  {Type: tar.TypeReg, Data: []byte("stub")},
		"usr/lib/boot/linuxx64.b":  {Type: tar.TypeReg},
		"usr/lib/boot/sub/linux.a": {Type: tar.TypeReg},
		"usr/lib/boot/linux.link":  {Type: tar.TypeSymlink},
	}
	for _, c := range []struct{ pattern, want, fault string }{
		{pattern: "usr/lib/boot/linuxx64.a", want: "stub"},
		{pattern: "usr/lib/boot/linux*.a", want: "stub"},
		{pattern: "usr/lib/boot/linux*", fault: "2 files"},
		{pattern: "usr/lib/boot/linux.link", fault: "no file"},
		{pattern: "usr/lib/boot", fault: "no file"},
		{pattern: "usr/lib/[", fault: "no file: syntax error in pattern:"},
	} {
		e, err := matching(content, c.pattern)
		if fault := ""; err != nil || c.fault != "" {
			if err != nil {
				fault = err.Error()
			}
			if fault != c.fault {
				t.Errorf("%s: error %q, want %q", c.pattern, fault, c.fault)
			}
			continue
		}
		if string(e.Data) != c.want {
			t.Errorf("%s: found %q, want %q", c.pattern, e.Data, c.want)
		}
	}
}
