//go:build !linux

package oci

import (
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Files without a name that can get one are Linux's: elsewhere nothing is kept.
func (u unpacked) create() *os.File { return nil }

func (u unpacked) keep(*os.File, v1.Hash) {}
