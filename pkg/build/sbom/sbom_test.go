package sbom

import (
	"archive/tar"
	"bytes"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx"

	"slipway/pkg/build/tree"
)

// files makes a tree of path and text; all can be executed.
func files(t *testing.T, contents map[string]string) *tree.Tree {
	t.Helper()
	tr := tree.New()
	for name, text := range contents {
		if err := tr.Put(name, tree.Entry{Type: tar.TypeReg, Mode: 0o755, Inode: tree.Text(text)}); err != nil {
			t.Fatal(err)
		}
	}
	return tr
}

func self(t *testing.T) string {
	t.Helper()
	name, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// foreign is a document as another tool would write it.
const foreign = `{"spdxVersion":"SPDX-2.3","dataLicense":"CC0-1.0","SPDXID":"SPDXRef-DOCUMENT","name":"x",
 "documentNamespace":"https://example.org/x","creationInfo":{"creators":["Tool: x"],"created":"2020-01-01T00:00:00Z"},
 "packages":[{"SPDXID":"SPDXRef-p","name":"left-pad","versionInfo":"1.3.0","downloadLocation":"NOASSERTION",
  "licenseDeclared":"WTFPL","externalRefs":[{"referenceCategory":"PACKAGE-MANAGER","referenceType":"purl","referenceLocator":"pkg:npm/left-pad@1.3.0"}]}]}`

func machine(t *testing.T) []Image {
	return []Image{
		{Name: "registry.example/app:1", Digest: "sha256:" + strings.Repeat("a", 64), Arch: "amd64", Used: []string{"services[0]", "onboot[1]"}, Tree: files(t, map[string]string{
			"var/lib/dpkg/status": "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.36-9+deb12u1\nDescription: libs\n more: text\n\n" +
				"Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n",
			"var/lib/dpkg/status.d/tzdata":         "Package: tzdata\nVersion: 2026a\nArchitecture: all\n",
			"var/lib/dpkg/status.d/tzdata.md5sums": "Package: no\nVersion: 0\n",
			"sbom.spdx.json":                       foreign,
			"usr/bin/test":                         self(t),
			"usr/bin/test-again":                   self(t),
			"usr/bin/short":                        "\x7fEL",
			"usr/bin/broken":                       "\x7fELF and nothing of the kind",
		})},
		{Name: "registry.example/small:2", Digest: "sha256:" + strings.Repeat("b", 64), Arch: "arm64", Sources: "busybox-static=1:1.35.0-4+b1, example.org/tool@v1.2.3", Tree: files(t, map[string]string{
			"etc/os-release":       "NAME=x\nID=wolfi\n",
			"lib/apk/db/installed": "C:Q1\nP:musl\nV:1.2.4-r2\nA:aarch64\nL:MIT\nF:lib\n\nP:zlib\nV:1.3-r0\nA:aarch64\nL:Zlib\n",
			"sbom.spdx.json":       "{",
		})},
		{Name: "registry.example/carried:3", Digest: "sha256:" + strings.Repeat("c", 64), Arch: "s390x"},
	}
}

// render writes the document of the machine.
func render(t *testing.T, images []Image) []byte {
	t.Helper()
	doc, err := Document("box", images)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Write(doc, &out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestDocument reads the document back and looks for what each image holds.
func TestDocument(t *testing.T) {
	data := render(t, machine(t))
	doc, err := spdxjson.Read(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	byID := map[string]*spdx.Package{}
	for _, p := range doc.Packages {
		if byID[string(p.PackageSPDXIdentifier)] != nil {
			t.Errorf("two elements %s", p.PackageSPDXIdentifier)
		}
		byID[string(p.PackageSPDXIdentifier)] = p
	}
	holds := map[string][]string{} // name of the holder: "name version purl"
	for _, r := range doc.Relationships {
		a, b := byID[string(r.RefA.ElementRefID)], byID[string(r.RefB.ElementRefID)]
		if r.Relationship == spdx.RelationshipDescribes && b.PackageName == "box" {
			continue
		}
		if a == nil || b == nil || r.Relationship != spdx.RelationshipContains {
			t.Fatalf("relationship %+v", r)
		}
		holds[a.PackageName] = append(holds[a.PackageName], strings.TrimSpace(b.PackageName+" "+b.PackageVersion+" "+purlOf(b)))
	}
	if got := len(holds["box"]); got != 3 {
		t.Errorf("the machine holds %d images, want 3: %v", got, holds["box"])
	}
	for name, want := range map[string][]string{
		"registry.example/app:1": {
			"libc6 2.36-9+deb12u1 pkg:deb/debian/libc6@2.36-9%2Bdeb12u1?arch=amd64", "tzdata 2026a pkg:deb/debian/tzdata@2026a?arch=all",
			"left-pad 1.3.0 pkg:npm/left-pad@1.3.0", "stdlib " + runtime.Version() + " pkg:golang/stdlib@" + strings.ReplaceAll(runtime.Version(), " ", "+"),
		},
		"registry.example/small:2": {
			"musl 1.2.4-r2 pkg:apk/wolfi/musl@1.2.4-r2?arch=aarch64", "zlib 1.3-r0 pkg:apk/wolfi/zlib@1.3-r0?arch=aarch64",
			"busybox-static 1:1.35.0-4+b1 pkg:deb/debian/busybox-static@1%3A1.35.0-4%2Bb1?arch=arm64",
			"example.org/tool v1.2.3 pkg:golang/example.org/tool@v1.2.3", "unreadable-sbom.spdx.json",
		},
	} {
		for _, w := range want {
			if !slices.Contains(holds[name], w) {
				t.Errorf("%s does not hold %q, only %q", name, w, holds[name])
			}
		}
		for _, got := range holds[name] {
			if strings.HasPrefix(got, "gone") || strings.HasPrefix(got, "no ") {
				t.Errorf("%s holds %q", name, got)
			}
		}
	}
	for _, p := range doc.Packages {
		if p.PackageName == "registry.example/app:1" && (p.PackageComment != "services[0], onboot[1]" || len(p.PackageChecksums) != 1 || p.PackageVersion[7:] != p.PackageChecksums[0].Value) {
			t.Errorf("image: %+v", p)
		}
		if p.PackageName == "musl" && p.PackageLicenseDeclared != "MIT" {
			t.Errorf("musl: licence %q", p.PackageLicenseDeclared)
		}
	}
}

// TestDeterministic wants the same bytes, and another namespace for another
// machine.
func TestDeterministic(t *testing.T) {
	one, two := render(t, machine(t)), render(t, machine(t))
	if !bytes.Equal(one, two) {
		t.Error("two documents of one machine differ")
	}
	a, err := Document("box", machine(t))
	if err != nil {
		t.Fatal(err)
	}
	b, err := Document("box", machine(t)[:2])
	if err != nil {
		t.Fatal(err)
	}
	if a.DocumentNamespace == b.DocumentNamespace || !strings.HasPrefix(a.DocumentNamespace, "urn:uuid:") {
		t.Errorf("namespaces %s and %s", a.DocumentNamespace, b.DocumentNamespace)
	}
}

// TestTooLarge wants an error for a database that would fill the memory.
func TestTooLarge(t *testing.T) {
	tr := tree.New()
	huge := &tree.Inode{Size: maxDatabase + 1, Data: strings.NewReader("")}
	if err := tr.Put(apkOld, tree.Entry{Type: tar.TypeReg, Inode: huge}); err != nil {
		t.Fatal(err)
	}
	if _, err := Document("box", []Image{{Name: "x", Tree: tr}}); err == nil || !strings.Contains(err.Error(), "image x: read lib/apk/db/installed: more than 64 MB") {
		t.Errorf("got %v", err)
	}
}

// TestPURLOfImage: a name that means a digest has the tag that may stand before that in neither part.
func TestPURLOfImage(t *testing.T) {
	for name, want := range map[string]string{
		"docker.io/library/alpine:3":       "pkg:oci/alpine@sha256%3A1?arch=amd64&repository_url=docker.io%2Flibrary%2Falpine&tag=3",
		"localhost:5000/a/app@sha256:1":    "pkg:oci/app@sha256%3A1?arch=amd64&repository_url=localhost%3A5000%2Fa%2Fapp",
		"localhost:5000/a/app:v1@sha256:1": "pkg:oci/app@sha256%3A1?arch=amd64&repository_url=localhost%3A5000%2Fa%2Fapp",
	} {
		if got := (Image{Name: name, Digest: "sha256:1", Arch: "amd64"}).purl(); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}
