package yml

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCaretStandsBelowTheColumn(t *testing.T) {
	for _, c := range []struct {
		text   string
		column int
	}{
		{"  key: value", 3}, {"\tkey: value", 2}, {"grüße: [a, b]", 9}, {strings.Repeat("x", 300) + "!", 301}, {"", 1},
	} {
		lines := strings.Split(Fault{File: "f", Line: 1, Column: c.column, Message: "m", Text: c.text}.String(), "\n")
		if c.text == "" {
			if len(lines) != 1 {
				t.Errorf("a fault without text has %d lines", len(lines))
			}
			continue
		}
		caret := len([]rune(lines[2])) - 1
		got := []rune(lines[1])
		if caret >= len(got) || got[caret] != []rune(c.text)[c.column-1] {
			t.Errorf("%q column %d: the caret stands at %d of %q", c.text, c.column, caret, lines[1])
		}
		if len(got) > 120 {
			t.Errorf("a line of %d characters is shown", len(got))
		}
	}
}

func TestAliasesCannotBlowUp(t *testing.T) {
	var b strings.Builder
	b.WriteString("x0: &x0 [a, a, a, a, a, a, a, a, a, a]\n")
	for i := 1; i < 12; i++ {
		prev := string(rune('a' + i - 1))
		if i == 1 {
			prev = "x0"
		}
		b.WriteString(string(rune('a'+i)) + "k: &" + string(rune('a'+i)) + " [" + strings.Repeat("*"+prev+", ", 9) + "*" + prev + "]\n")
	}
	if _, faults := Parse("bomb.yml", []byte(b.String())); len(faults) == 0 {
		t.Error("no fault")
	}
	deep := "init: " + strings.Repeat("[", 200) + strings.Repeat("]", 200)
	if _, faults := Parse("deep.yml", []byte(deep)); len(faults) == 0 {
		t.Error("no fault in a deep list")
	}
}

func FuzzLabel(f *testing.F) {
	f.Add(`{"capabilities": ["CAP_KILL"], "binds": ["/run:/run"], "runtime": {"mkdir": ["/a"]}}`)
	f.Add("resources: {memory: {limit: 1}}\nuid: a\n")
	f.Add("[]")
	f.Add("null")
	f.Fuzz(func(t *testing.T, text string) {
		s, faults := ParseLabel("image", text)
		if s == nil {
			t.Fatal("no settings")
		}
		if s.Resources != nil && len(faults.Only(Error)) == 0 {
			if _, err := s.Resources.Spec(false); err != nil && strings.TrimSpace(err.Error()) == "" {
				t.Error("an error without words")
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add("kernel: {image: a}\nservices:\n- name: b\n  image: c\n")
	f.Add("a: &a [*a]\n")
	f.Add("onboot: [{<<: {name: x}, image: y, uid: 1, annotations: {a: b}}]")
	for _, pattern := range []string{"../testdata/*/*.yml", "../../../linuxkit.yml", "../../../test/cases/*/linuxkit.yml"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatalf("%s: no files, %v", pattern, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(text))
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, faults := Parse("fuzz.yml", []byte(text))
		for _, fault := range faults {
			if fault.String() == "" || fault.Line < 0 {
				t.Errorf("fault without words: %+v", fault)
			}
		}
		c.check()
	})
}

// TestNameWithoutSuffix: an image's name in the place of its YAML's is told.
func TestNameWithoutSuffix(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("box.yml", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"box": "did you mean box.yml?", "bax": "bax: no such file or directory"} {
		if _, _, err := Read(t.Context(), []string{name}, nil); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}
