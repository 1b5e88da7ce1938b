package disk

import (
	"context"
	"errors"
	"slices"
	"testing"
)

func TestSquashfs(t *testing.T) {
	dir := t.TempDir()
	s := Squashfs{Name: "box", Kernel: write(t, "k", []byte("kernel")), Root: write(t, "r", []byte("hsqs")), Cmdline: "quiet"}
	got, err := s.Write(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{dir + "/box-kernel", dir + "/box-squashfs.img", dir + "/box-cmdline"}
	if !slices.Equal(got, want) {
		t.Fatalf("wrote %v, want %v", got, want)
	}
	for i, content := range []string{"kernel", "hsqs", "quiet"} {
		if data := read(t, want[i]); string(data) != content {
			t.Errorf("%s holds %q, want %q", want[i], data, content)
		}
	}
	if names := files(t, dir); len(names) != 3 {
		t.Errorf("left %v", names)
	}
}

func TestSquashfsFaultsLeaveNothing(t *testing.T) {
	dir := t.TempDir()
	s := Squashfs{Name: "box", Kernel: write(t, "k", []byte("kernel")), Root: "/nowhere/root"}
	if _, err := s.Write(t.Context(), dir); err == nil {
		t.Error("a squashfs that is not there was taken")
	}
	s.Root = s.Kernel
	ctx, end := context.WithCancelCause(t.Context())
	end(errEnough)
	if _, err := s.Write(ctx, dir); !errors.Is(err, errEnough) {
		t.Errorf("ended context: error %v", err)
	}
	if names := files(t, dir); names != nil {
		t.Errorf("left %v", names)
	}
}
