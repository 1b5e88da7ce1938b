package sbom

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"strings"

	"github.com/google/uuid"
	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx"
	"github.com/spdx/tools-golang/spdx/v2/common"

	"slipway/pkg/build/tree"
)

const noAssertion = "NOASSERTION"

// Elements that every document has.
const (
	documentID = spdx.ElementID("DOCUMENT")
	machineID  = spdx.ElementID("machine")
)

// document is an SPDX document in the making.
type document struct {
	*spdx.Document
	known map[spdx.ElementID]bool
}

// Document says what a machine of that name is made of. Its date is that of all
// that the builder makes, and its namespace comes from its content.
func Document(name string, images []Image) (*spdx.Document, error) {
	d := document{known: map[spdx.ElementID]bool{}, Document: &spdx.Document{
		SPDXVersion: spdx.Version, DataLicense: spdx.DataLicense, SPDXIdentifier: documentID, DocumentName: name,
		CreationInfo: &spdx.CreationInfo{
			Created:  tree.Epoch.Format("2006-01-02T15:04:05Z"),
			Creators: []common.Creator{{CreatorType: "Tool", Creator: "slipway"}},
		},
	}}
	d.add(machineID, &spdx.Package{PackageName: name, PrimaryPackagePurpose: "OPERATING-SYSTEM"})
	d.relate(documentID, spdx.RelationshipDescribes, machineID)
	for _, i := range images {
		if err := d.addImage(i); err != nil {
			return nil, err
		}
	}
	var content bytes.Buffer
	if err := Write(d.Document, &content); err != nil {
		return nil, err
	}
	d.DocumentNamespace = "urn:uuid:" + uuid.NewSHA1(uuid.Nil, content.Bytes()).String()
	return d.Document, nil
}

// Write writes a document as JSON.
func Write(d *spdx.Document, w io.Writer) error {
	if err := spdxjson.Write(d, w, spdxjson.Indent(" "), spdxjson.EscapeHTML(false)); err != nil {
		return fmt.Errorf("write SPDX document: %w", err)
	}
	return nil
}

func (d document) addImage(i Image) error {
	packages, err := i.Packages()
	if err != nil {
		return err
	}
	p := &spdx.Package{
		PackageName: i.Name, PackageVersion: i.Digest, PrimaryPackagePurpose: "CONTAINER",
		PackageComment: strings.Join(i.Used, ", "),
	}
	if algorithm, sum, ok := strings.Cut(i.Digest, ":"); ok && algorithm == "sha256" {
		p.PackageChecksums = []common.Checksum{{Algorithm: common.SHA256, Value: sum}}
	}
	id := elementID("image", i.purl())
	d.add(id, p, i.purl())
	d.relate(machineID, spdx.RelationshipContains, id)
	for _, pkg := range packages {
		purl := pkg.purl()
		part := elementID("package", purl+"\x00"+pkg.Name+"\x00"+pkg.Version)
		d.add(part, &spdx.Package{PackageName: pkg.Name, PackageVersion: pkg.Version, PackageLicenseDeclared: pkg.License}, purl)
		d.relate(id, spdx.RelationshipContains, part)
	}
	return nil
}

// add adds an element, once.
func (d document) add(id spdx.ElementID, p *spdx.Package, purls ...string) {
	if d.known[id] {
		return
	}
	d.known[id] = true
	p.PackageSPDXIdentifier, p.PackageDownloadLocation = id, noAssertion
	for _, purl := range purls {
		if purl != "" {
			p.PackageExternalReferences = append(p.PackageExternalReferences, &spdx.PackageExternalReference{
				Category: spdx.CategoryPackageManager, RefType: spdx.PackageManagerPURL, Locator: purl,
			})
		}
	}
	d.Packages = append(d.Packages, p)
}

func (d document) relate(a spdx.ElementID, how string, b spdx.ElementID) {
	d.Relationships = append(d.Relationships, &spdx.Relationship{
		RefA: common.MakeDocElementID("", string(a)), RefB: common.MakeDocElementID("", string(b)), Relationship: how,
	})
}

// elementID is the same for the same thing in every document.
func elementID(kind, what string) spdx.ElementID {
	sum := sha256.Sum256([]byte(what))
	return spdx.ElementID(fmt.Sprintf("%s-%x", kind, sum[:8]))
}
