package docs

import (
	"cmp"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"go.yaml.in/yaml/v3"

	"slipway/pkg/build"
	"slipway/test/docs/shown"
)

// property is what the JSON Schema of the YAML says of a value.
type property struct {
	Properties  map[string]*property
	Items       *property
	Ref         string `json:"$ref"`
	Definitions map[string]*property
}

// keysOf adds the paths of all keys: sections of containers are one, lists are passed through.
func (p *property) keysOf(path string, to map[string]bool) {
	for name, of := range p.Properties {
		under := path + "/" + name
		to[mount(under)] = false
		if of.Items == nil || of.Items.Ref == "" {
			of.keysOf(under, to)
		}
	}
	if p.Items != nil {
		p.Items.keysOf(path, to)
	}
	for name, of := range p.Definitions {
		of.keysOf("/"+name, to)
	}
}

// mount: those that are made before a container starts have the keys of the others.
func mount(path string) string { return strings.Replace(path, "/runtime/mounts/", "/mounts/", 1) }

// show notes the keys of an example.
func show(path string, n *yaml.Node, in map[string]bool) {
	for i, child := range n.Content {
		switch {
		case n.Kind == yaml.SequenceNode || n.Kind == yaml.DocumentNode:
			show(path, child, in)
		case i%2 == 1:
			under := path + "/" + n.Content[i-1].Value
			in[mount(under)] = true
			if under == "/onboot" || under == "/services" || under == "/onshutdown" {
				under = "/container"
			}
			show(under, child, in)
		}
	}
}

// restOf is what an example goes without.
var restOf = map[string]string{
	"":          "init: [\"slipway/init:v0.1\"]\nservices: [{name: db, image: \"example/db:1\"}]\n",
	"container": "init: [\"slipway/init:v0.1\"]\nvolumes: [{name: data}]\n",
}

// TestEveryKeyHasAnExample: the pages have an example of each key of the YAML, and of each
// annotation; all examples are what `slipway validate --no-images` finds nothing in.
func TestEveryKeyHasAnExample(t *testing.T) {
	var schema property
	text, err := os.ReadFile(root + "/docs/linuxkit.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	wanted, shownKeys := map[string]bool{}, map[string]bool{}
	schema.keysOf("", wanted)
	if len(wanted) < 150 {
		t.Fatalf("the schema has %d keys: %v", len(wanted), wanted)
	}
	before := map[string]string{} // by page: the file that the next one goes with
	for _, b := range shown.Blocks(t, root) {
		if b.Kind != "yaml" || b.Mode != "" && b.Mode != "container" && !b.IsFile() {
			continue
		}
		example := strings.Join(b.Lines, "\n") + "\n"
		if b.Mode == "container" {
			example = "services:\n  - name: example\n    image: example/app:1\n" + indented(b.Lines)
		}
		var document yaml.Node
		if err := yaml.Unmarshal([]byte(example), &document); err != nil {
			t.Errorf("%s: %v", b.Place(), err)
			continue
		}
		show("", &document, shownKeys)
		rest, file := filepath.Join(t.TempDir(), "rest.yml"), filepath.Join(t.TempDir(), "example.yml")
		write(t, rest, cmp.Or(before[b.Page], restOf[b.Mode], restOf[""]))
		write(t, file, example)
		if b.IsFile() {
			before[b.Page] = example
		}
		faults, err := (&build.Builder{Platform: v1.Platform{OS: "linux", Architecture: "amd64"}}).CheckFiles(t.Context(), []string{rest, file}, nil)
		if err != nil || len(faults) > 0 {
			t.Errorf("%s: %v\n%v", b.Place(), err, faults)
		}
	}
	for key := range wanted {
		if !shownKeys[key] {
			t.Errorf("no page has an example of %s", key)
		}
	}
}

// indented are the keys of a container as they stand in a list.
func indented(lines []string) string {
	first := len(lines[0]) - len(strings.TrimLeft(lines[0], " "))
	var all strings.Builder
	for _, line := range lines {
		all.WriteString("    " + line[min(first, len(line)):] + "\n")
	}
	return all.String()
}
