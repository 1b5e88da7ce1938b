package qemu

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/diskfs/go-diskfs/backend/file"
	"github.com/diskfs/go-diskfs/filesystem/iso9660"
)

// MakeMetadata writes a disc that holds data as its one file, config: where
// LinuxKit's metadata package looks for it.
func MakeMetadata(disc string, data []byte) (err error) {
	if err := os.MkdirAll(filepath.Dir(disc), 0o755); err != nil {
		return fmt.Errorf("make metadata disc: %w", err)
	}
	// The library makes a disc of a folder.
	folder, err := os.MkdirTemp(filepath.Dir(disc), ".metadata-")
	if err != nil {
		return fmt.Errorf("make metadata disc: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	if err := os.WriteFile(filepath.Join(folder, "config"), data, 0o644); err != nil {
		return fmt.Errorf("make metadata disc: %w", err)
	}
	f, err := os.Create(disc)
	if err != nil {
		return fmt.Errorf("make metadata disc: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	fs, err := iso9660.Create(file.New(f, false), 0, 0, 2048, folder)
	if err != nil {
		return fmt.Errorf("make metadata disc: %w", err)
	}
	// Rock Ridge keeps the name as it is; ISO 9660 alone has capitals.
	if err := fs.Finalize(iso9660.FinalizeOptions{RockRidge: true, VolumeIdentifier: "config"}); err != nil {
		return fmt.Errorf("make metadata disc: %w", err)
	}
	return nil
}
