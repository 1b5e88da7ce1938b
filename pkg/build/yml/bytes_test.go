package yml

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestFileTexts reads what files: says of one file; no fault wanted is one that is
// taken.
func TestFileTexts(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ file, want string }{
		{`path: a, contents: "a\0b"`, ""},
		{`path: a, contents: !!binary "aGkA/w=="`, ""},
		{`path: a, contents: !!binary "aGk"`, `files[0].contents: not base64`},
		{`path: a, contents: !!binary "a b"`, `files[0].contents: not base64`},
		{`path: !!binary "aGk=", contents: x`, `files[0].path: the value aGk=; want text`},
		{`path: "a\0b", contents: x`, `files[0].path: a null in the text`},
		{`path: a, symlink: "a\0b"`, `files[0].symlink: a null in the text`},
		{`path: a, source: "a\0b"`, `files[0].source: a null in the text`},
		{`path: ./, contents: x`, `files[0].path: path "./"; want a path in the image`},
		{`path: "/./.", directory: true`, `want a path in the image`},
		{`path: a/., contents: x`, ""},
		{`path: a/` + strings.Repeat("n", 255) + `, contents: x`, ""},
		{`path: a/` + strings.Repeat("n", 256) + `, contents: x`, `files[0].path: a name of 256 bytes; want 255 at most`},
		{`path: ` + strings.Repeat("d/", 2047) + `f, contents: x`, ""},
		{`path: ` + strings.Repeat("d/", 2048) + `f, contents: x`, `files[0].path: a path of 4097 bytes; want 4095 at most`},
		{`path: a, symlink: ` + strings.Repeat("n", 4095), ""},
		{`path: a, symlink: ` + strings.Repeat("n", 4096), `files[0].symlink: a target of 4096 bytes; want 4095 at most`},
		{`path: a, symlink: b, mode: "0644"`, `files[0].mode: a link has no mode`},
		{`path: a, symlink: b, uid: 5`, ""},
		{`path: a, contents: x, optional: true`, `files[0].optional: optional counts for nothing without source`},
		{`path: a, directory: true, optional: false`, ""},
		{`path: a, source: /proc/kmsg`, `files[0].source: /proc/kmsg: what is in it the kernel makes up`},
		{`path: a, source: /dev/zero`, `files[0].source: /dev/zero: is a device`},
		{`path: a, source: ` + dir, `files[0].source: ` + dir + `: is a directory; want a file`},
		{`path: a, optional: true, source: ` + dir, `is a directory`},
		{`path: a, optional: true, source: ` + filepath.Join(dir, "none"), ""},
	} {
		config, faults := Parse("m.yml", []byte("files:\n  - {"+c.file+"}\n"))
		for _, f := range config.Files {
			faults.AddNew(f.check()...)
		}
		if got := faults.Error(); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%.60s: got %q, want %q", c.file, got, c.want)
		}
	}
	config, _ := Parse("m.yml", []byte("files:\n  - {path: a, contents: !!binary \"aGkA/w==\"}\n"))
	if got := *config.Files[0].Contents; got != "hi\x00\xff" {
		t.Errorf("got %q", got)
	}
}

// TestNulls finds nulls in every text that the kernel would end there, or refuse.
func TestNulls(t *testing.T) {
	for _, text := range []string{
		"onboot: [{name: a, image: b, command: [\"x\\0y\"]}]", "onboot: [{name: a, image: b, env: [\"A=\\0\"]}]",
		"onboot: [{name: a, image: b, cwd: \"/\\0\"}]", "services: [{name: a, image: b, sysctl: {net.x: \"\\0\"}}]",
		"kernel: {image: a, cmdline: \"a\\0b\"}", "onboot: [{name: a, image: b, mounts: [{source: \"\\0\"}]}]",
	} {
		if _, faults := Parse("m.yml", []byte(text)); !strings.Contains(faults.Error(), "a null in the text") {
			t.Errorf("%q: got %q", text, faults.Error())
		}
	}
}
