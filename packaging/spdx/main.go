// Spdx writes, to standard output, the SPDX document of a Go program of ours: the modules
// that the compiler noted in it.
package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"fmt"
	"os"
	"strings"

	"slipway/pkg/build/sbom"
	"slipway/pkg/version"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: spdx PROGRAM")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "spdx:", err)
		os.Exit(1)
	}
}

func write(program string) error {
	data, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return fmt.Errorf("read what %s was built from: %w", program, err)
	}
	used := []string{"stdlib@" + info.GoVersion}
	for _, m := range info.Deps {
		used = append(used, m.Path+"@"+m.Version)
	}
	name := "slipway"
	document, err := sbom.Document(name, []sbom.Image{{
		Name: name, Digest: fmt.Sprintf("sha256:%x", sha256.Sum256(data)), Sources: strings.Join(used, ", "),
		Used: []string{version.Of(info).String()},
	}})
	if err != nil {
		return err
	}
	for _, p := range document.Packages {
		if p.PackageName == name { // sbom knows of machines and their images
			p.PrimaryPackagePurpose = "APPLICATION"
		}
	}
	return sbom.Write(document, os.Stdout)
}
