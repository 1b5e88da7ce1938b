package sbom

import (
	"strings"

	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx"
)

// DefaultFile is where an image has a document of its own, and where the
// machine's lies: LinuxKit's name.
const DefaultFile = "sbom.spdx.json"

// documents takes over the packages that a document in the image lists. What
// cannot be read there is no reason not to build: it is listed as such.
func documents(i Image) ([]Package, error) {
	data, err := text(i.Tree, DefaultFile)
	if err != nil || data == "" {
		return nil, err
	}
	doc, err := spdxjson.Read(strings.NewReader(data))
	if err != nil {
		return []Package{{Name: "unreadable-" + DefaultFile, Version: ""}}, nil
	}
	var list []Package
	for _, p := range doc.Packages {
		if p == nil || p.PackageName == "" {
			continue
		}
		list = append(list, Package{
			Name: p.PackageName, Version: p.PackageVersion, License: license(p), PURL: purlOf(p),
		})
	}
	return list, nil
}

func license(p *spdx.Package) string {
	// References to licences are explained elsewhere in that document.
	if strings.Contains(p.PackageLicenseDeclared, "LicenseRef-") || p.PackageLicenseDeclared == noAssertion {
		return ""
	}
	return p.PackageLicenseDeclared
}

func purlOf(p *spdx.Package) string {
	for _, r := range p.PackageExternalReferences {
		if r != nil && r.RefType == spdx.PackageManagerPURL {
			return r.Locator
		}
	}
	return ""
}
