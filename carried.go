// Package slipway is what the host tool carries of its own repository: the recipes of
// our images, and the sources of the programs in them. So it makes them anywhere.
package slipway

import "embed"

// Carried has what `slipway images build` reads in the repository, in the same places.
// The directories are those of all packages that cmd/init and cmd/service import.
//
//go:embed go.mod go.sum cmd/init cmd/service images
//go:embed pkg/boot pkg/fdclose pkg/bundle pkg/container pkg/escape pkg/keeper pkg/log pkg/machine
//go:embed pkg/pin pkg/port pkg/reap pkg/service pkg/timeline pkg/version
var Carried embed.FS
