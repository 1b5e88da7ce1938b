package memory

import "testing"

const mb = 1 << 20

func TestWords(t *testing.T) {
	fill, web, idle := Holder{"fill", 61 * mb, 60 * mb}, Holder{"web", 12 * mb, 1 * mb}, Holder{"idle", 1 * mb, 0}
	for name, tt := range map[string]struct {
		use        Use
		short      bool
		most, want string
	}{
		"a filled layer": {Use{Limit: 80 * mb, Held: 75 * mb, Holders: []Holder{fill, web, idle, idle}}, true, "fill",
			"containers hold 75M of the 80M that all of them may have: fill 61M (60M in files in memory), web 12M, idle 1.0M"},
		"left behind": {Use{Limit: 80 * mb, Held: 72 * mb, Holders: []Holder{web}, Left: 59 * mb}, true, "",
			"containers hold 72M of the 80M that all of them may have: web 12M, 59M lies in files that containers have left in /run, /tmp or /var"},
		"room":     {Use{Limit: 80 * mb, Held: 30 * mb, Holders: []Holder{web}}, false, "", "containers hold 30M of the 80M that all of them may have: web 12M"},
		"no limit": {},
	} {
		if got := tt.use.Short(); got != tt.short {
			t.Errorf("%s: short is %v", name, got)
		}
		if got := tt.use.Most(); got != tt.most {
			t.Errorf("%s: %q holds the most, want %q", name, got, tt.most)
		}
		if got := tt.use.String(); tt.want != "" && got != tt.want {
			t.Errorf("%s: %s\nwant %s", name, got, tt.want)
		}
	}
}
