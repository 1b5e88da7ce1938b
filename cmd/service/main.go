// Service runs the containers of an image: by its name or its first argument
// the onboot sequence, the supervisor of the services, or the command line that
// speaks with it. It is the companion of another init; beside ours it is part of
// cmd/init.
package main

import (
	"os"

	"slipway/pkg/service/cli"
)

func main() {
	os.Exit(cli.Main(os.Args))
}
