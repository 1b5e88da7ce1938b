package yml

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "write docs/linuxkit.schema.json anew")

const schemaFile = "../../../docs/linuxkit.schema.json"

// compiled is the schema as a validator sees it, which checks it against the
// schema of schemas first.
func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	data, err := JSONSchema()
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("linuxkit.json", document); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("linuxkit.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// valid tells what an editor would say of a YAML text.
func valid(t *testing.T, s *jsonschema.Schema, text []byte) error {
	t.Helper()
	var v any
	if err := yaml.Unmarshal(text, &v); err != nil {
		return err
	}
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(document)
}

func TestSchemaFileIsUpToDate(t *testing.T) {
	data, err := JSONSchema()
	if err != nil {
		t.Fatal(err)
	}
	data = append(data, '\n')
	if *update {
		if err := os.WriteFile(schemaFile, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(schemaFile)
	if err != nil || !bytes.Equal(have, data) {
		t.Errorf("docs/linuxkit.schema.json is not what `slipway validate --schema` prints (%v); run this test with -update", err)
	}
}

// TestSchemaAgrees gives a validator every YAML there is: what builds has to be
// valid, and what has a fault of its text invalid.
func TestSchemaAgrees(t *testing.T) {
	s := compiled(t)
	var files []string
	for _, pattern := range []string{"../testdata/*/*.yml", "../../../test/cases/*/linuxkit.yml", "../../../linuxkit.yml"} {
		some, err := filepath.Glob(pattern)
		if err != nil || len(some) == 0 {
			t.Fatalf("nothing like %s: %v", pattern, err)
		}
		files = append(files, some...)
	}
	refused := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, faults := Parse(file, text)
		if filepath.Base(file) == "policy.yml" {
			// Wrong slipway.* keys, which the schema knows and package build finds.
			faults.Add(Fault{Severity: Error})
		}
		said := valid(t, s, text)
		if wrong := len(faults.Only(Error)) > 0; wrong != (said != nil) {
			t.Errorf("%s: the builder finds %v, a validator %v", file, faults.Only(Error), said)
		} else if wrong {
			refused++
		}
	}
	if refused < 3 {
		t.Errorf("only %d files of %d are refused", refused, len(files))
	}
}

// TestLinuxKitCasesAgainstSchema does the same with the cases LinuxKit's tool
// was given. Some of what it refuses no schema can know.
func TestLinuxKitCasesAgainstSchema(t *testing.T) {
	files, err := filepath.Glob("../testdata/linuxkit/cases/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases of LinuxKit's builder: %v", err)
	}
	unseen := []string{"err-dup-service", "err-file-source", "err-mount-dest", "err-uid-name", "err-volume-unknown"}
	s := compiled(t)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yml")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		want := strings.HasPrefix(name, "err-") && !slices.Contains(unseen, name)
		if said := valid(t, s, text); (said != nil) != want {
			t.Errorf("%s: %v", name, said)
		}
	}
}

// TestSchemaKnowsWords tries what editors complete and underline.
func TestSchemaKnowsWords(t *testing.T) {
	s := compiled(t)
	const container = "services: [{name: a, image: b, "
	for text, want := range map[string]bool{
		container + "capabilities: [CAP_KILL]}]":                     true,
		container + "capabilities: [KILL]}]":                         false,
		container + "annotations: {slipway.restart: always}}]":       true,
		container + "annotations: {slipway.restrt: always}}]":        false,
		container + "annotations: {example.com/restrt: always}}]":    true,
		container + "rootfsPropagation: odd}]":                       true,
		container + "binds: [/a]}]":                                  false,
		container + "uid: -1}]":                                      false,
		container + "net: }]":                                        false,
		"services: [{name: ../a, image: b}]":                         false,
		"files: [{path: a, directory: true}, {path: b, symlink: a}]": true,
		"files: [{path: a, mode: \"0644\"}]":                         false,
		"files: [{path: a, contents: x, mode: \"0999\"}]":            false,
	} {
		if err := valid(t, s, []byte(text)); (err == nil) != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}
