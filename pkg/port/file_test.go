package port

import (
	"strings"
	"testing"
)

func TestCheckName(t *testing.T) {
	for _, name := range []string{"a", "a/b", ".a", "..a", "a..", "junit.xml", "é ü/世", strings.Repeat("a/", MaxDepth-1) + "a", strings.Repeat("x", maxPart)} {
		if err := CheckName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{
		"", ".", "..", "/", "/a", "a/", "a//b", "../a", "a/../b", "a/..", "./a", "a\x00", "a\nb", "\x1b[2J", "a\\b", "\xff", "a\u202eb",
		strings.Repeat("a/", MaxDepth) + "a", strings.Repeat("x", maxPart+1), strings.Repeat(strings.Repeat("x", 250)+"/", 5) + "x",
	} {
		if CheckName(name) == nil {
			t.Errorf("%q is taken", name)
		}
	}
}
