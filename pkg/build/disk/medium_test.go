package disk

import (
	"bytes"
	"math/rand/v2"
	"path/filepath"
	"testing"
)

// TestMediumGathers writes pieces here and there and compares with a slice.
func TestMediumGathers(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	want := make([]byte, 3*gather)
	name := filepath.Join(t.TempDir(), "medium")
	err := create(t.Context(), name, func(m *medium) error {
		if err := m.Truncate(int64(len(want))); err != nil {
			return err
		}
		at := 0
		for range 4000 {
			n := random.IntN(2048)
			if random.IntN(500) == 0 {
				n = gather + random.IntN(100)
			}
			if random.IntN(10) == 0 || at+n > len(want) { // else right behind the last one
				at = random.IntN(len(want) - n)
			}
			for i := range want[at : at+n] {
				want[at+i] = byte(random.Uint32())
			}
			if _, err := m.WriteAt(want[at:at+n], int64(at)); err != nil {
				return err
			}
			if random.IntN(50) == 0 {
				got := make([]byte, n)
				if _, err := m.ReadAt(got, int64(at)); err != nil || !bytes.Equal(got, want[at:at+n]) {
					t.Fatalf("read back %d bytes at %d: other ones, error %v", n, at, err)
				}
			}
			at += n
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(read(t, name), want) {
		t.Error("the file is not what was written")
	}
}
