// Package build makes a machine's image of linuxkit.yml.
//
// The way of a build, top to bottom: package yml reads the text; this package
// finds the images (package oci), has the OCI runtime configuration of every
// container made (package spec), looks for what would go wrong at boot (package
// check) and lays out the root file system (root.go) as a tree that is never
// unpacked (package tree); package output writes the tree in the format asked for.
package build
