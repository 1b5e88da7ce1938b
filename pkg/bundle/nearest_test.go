package bundle

import "testing"

func TestNearest(t *testing.T) {
	names := []string{"binds", "binds.add", "command", "env", "readonly", "web", "database", "sshd"}
	for in, want := range map[string]string{
		"bind": "binds", "comand": "command", "comamnd": "command", "Readonly": "readonly", "x": "", "entrypoint": "", "en": "env",
		"wbe": "web", "ssh": "sshd", "databse": "database", "wholly-other": "",
	} {
		if got := Nearest(in, names); got != want {
			t.Errorf("%s: got %q, want %q", in, got, want)
		}
	}
}
