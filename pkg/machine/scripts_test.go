package machine

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func TestScripts(t *testing.T) {
	dir := t.TempDir()
	if n, err := ReadScripts(dir); err != nil || !n.Over || n.Faults() != nil {
		t.Errorf("without a note: %+v, %v", n, err)
	}
	for _, want := range []Scripts{
		{},
		{Running: "/etc/init.d/030-x", Failed: []string{"/etc/init.d/001-a: exit status 1"}},
		{Failed: []string{"/etc/init.d/001-a: exit status 1"}, Over: true},
	} {
		if err := want.Write(dir); err != nil {
			t.Fatal(err)
		}
		if got, err := ReadScripts(dir); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, %v, want %+v", got, err, want)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("left in the directory: %v, %v", entries, err)
	}
	if err := os.WriteFile(filepath.Join(dir, ScriptsFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if n, err := ReadScripts(dir); err == nil || !n.Over {
		t.Errorf("a broken note: %+v, %v", n, err)
	}
	if err := (Scripts{}).Write(filepath.Join(dir, "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a note was written nowhere: %v", err)
	}
}

func TestScriptsFaults(t *testing.T) {
	n := Scripts{Running: "/etc/init.d/030-x", Failed: []string{"/etc/init.d/001-a: exit status 1"}}
	if got, want := n.Faults(), []string{"/etc/init.d/001-a: exit status 1", "/etc/init.d/030-x: still running"}; !reflect.DeepEqual(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
