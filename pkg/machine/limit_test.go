package machine

import (
	"os"
	"testing"
	"time"
)

func TestLimit(t *testing.T) {
	dir := t.TempDir()
	if got := ReadLimit(dir, "services"); got != 0 {
		t.Errorf("no file: %s", got)
	}
	if err := WriteLimit(dir, "services", 90*time.Second+time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if got := ReadLimit(dir, "services"); got != 90*time.Second {
		t.Errorf("%s", got)
	}
	for text, want := range map[string]time.Duration{"700\n": 700 * time.Second, "": 0, "soon": 0, "-1": 0, "99999999999999": 0} {
		if err := os.WriteFile(limitFile(dir, "services"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := ReadLimit(dir, "services"); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	if got := ReadLimit(dir, "onshutdown"); got != 0 {
		t.Errorf("of another section: %s", got)
	}
}
