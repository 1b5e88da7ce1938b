package guest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
)

// BuildOf is the first part of the SHA-256 of a program.
func BuildOf(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", fmt.Errorf("identify program: %w", err)
	}
	sum := sha256.New()
	_, err = io.Copy(sum, f)
	if err := errors.Join(err, f.Close()); err != nil {
		return "", fmt.Errorf("identify program %s: %w", name, err)
	}
	return hex.EncodeToString(sum.Sum(nil))[:12], nil
}
