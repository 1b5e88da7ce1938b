package yml

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestConfigurationParsesBack reads again what --dry-run prints and metadata:
// yaml writes; both have to mean the same.
func TestConfigurationParsesBack(t *testing.T) {
	var files []string
	for _, pattern := range []string{"../testdata/*/*.yml", "../../../test/cases/*/linuxkit.yml", "../../../linuxkit.yml", "testdata/*.yml"} {
		some, err := filepath.Glob(pattern)
		if err != nil || len(some) == 0 {
			t.Fatalf("nothing like %s: %v", pattern, err)
		}
		files = append(files, some...)
	}
	meaning := func(c *Config) string {
		data, err := json.MarshalIndent(c, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	read := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		c, faults := Parse(file, text)
		if len(faults.Only(Error)) > 0 {
			continue
		}
		read++
		printed, err := yaml.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		again, faults := Parse("printed", printed)
		if len(faults.Only(Error)) > 0 {
			t.Errorf("%s: %v in\n%s", file, faults, printed)
		} else if a, b := meaning(c), meaning(again); a != b {
			t.Errorf("%s: was\n%s\nnow\n%s", file, a, b)
		}
	}
	if read < 20 {
		t.Errorf("only %d files were read", read)
	}
}
