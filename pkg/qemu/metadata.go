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
// LinuxKit's metadata package looks for it. A disc of that name stays as it is
// for the machine that may be using it.
func MakeMetadata(disc string, data []byte) (err error) {
	if err := os.MkdirAll(filepath.Dir(disc), 0o755); err != nil {
		return fmt.Errorf("make metadata disc: %w", err)
	}
	scratch, err := os.MkdirTemp(filepath.Dir(disc), ".metadata-")
	if err != nil {
		return fmt.Errorf("make metadata disc: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	made := filepath.Join(scratch, "disc")
	if err := writeMetadata(made, filepath.Join(scratch, "files"), data); err != nil {
		return fmt.Errorf("make metadata disc: %w", err)
	}
	if err := os.Rename(made, disc); err != nil {
		return fmt.Errorf("make metadata disc: %w", err)
	}
	return nil
}

// writeMetadata goes by way of a directory: the library makes a disc of one.
func writeMetadata(disc, directory string, data []byte) (err error) {
	if err := os.Mkdir(directory, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(directory, "config"), data, 0o644); err != nil {
		return err
	}
	f, err := os.Create(disc)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	fs, err := iso9660.Create(file.New(f, false), 0, 0, 2048, directory)
	if err == nil {
		// Rock Ridge keeps the name as it is; ISO 9660 alone has capitals.
		err = fs.Finalize(iso9660.FinalizeOptions{RockRidge: true, VolumeIdentifier: "config"})
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", disc, err)
	}
	return nil
}
