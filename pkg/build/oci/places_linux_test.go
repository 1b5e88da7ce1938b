package oci

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// nobody is a user who owns nothing here.
const nobody = 65534

// TestPlacesOfOthers passes over a directory that is another user's, and not over a file of
// ours that cannot be read.
func TestPlacesOfOthers(t *testing.T) {
	for _, v := range []string{"HOME", "DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"} {
		t.Setenv(v, "")
	}
	dir := t.TempDir()
	closed, own := filepath.Join(dir, "closed"), filepath.Join(dir, "own")
	writeAuth(t, filepath.Join(closed, "containers/auth.json"), `{"auths": {}}`)
	writeAuth(t, filepath.Join(own, "containers/auth.json"), `{"auths": {"host.example": {"auth": "YW5uOng="}}}`)
	unreadable := filepath.Join(own, "a.json")
	writeAuth(t, unreadable, `{}`)
	for name, mode := range map[string]os.FileMode{
		filepath.Dir(dir): 0o755, dir: 0o755, own: 0o755, own + "/containers": 0o755, own + "/containers/auth.json": 0o644, closed: 0, unreadable: 0,
	} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _ = os.Chmod(closed, 0o700) }) // for who removes it and is not root
	t.Setenv("XDG_RUNTIME_DIR", closed)
	t.Setenv("XDG_CONFIG_HOME", own)
	// Root reads everything, but not with the user of this thread for files (setfsuid(2)).
	if os.Getuid() == 0 {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if _, err := unix.SetfsuidRetUid(nobody); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = unix.Setfsuid(0) }()
	}
	file, err := loadCredentials()
	if err != nil || file == nil || file.AuthConfigs["host.example"].Username != "ann" {
		t.Errorf("got %v, %v", file, err)
	}
	t.Setenv("REGISTRY_AUTH_FILE", unreadable)
	if _, err := loadCredentials(); !errors.Is(err, os.ErrPermission) || !strings.Contains(err.Error(), unreadable) {
		t.Errorf("a file that cannot be read: %v", err)
	}
}
