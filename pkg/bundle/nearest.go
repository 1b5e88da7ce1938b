package bundle

import "strings"

// Nearest is the name that someone who wrote the word probably meant: the one
// with the fewest edits between them, if those are few enough. "" if none is.
func Nearest(word string, names []string) string {
	best, limit := "", 1+len(word)/3
	for _, name := range names {
		if d := distance(strings.ToLower(word), strings.ToLower(name)); d <= limit && d < len(word) {
			best, limit = name, d-1
		}
	}
	return best
}

// distance counts the insertions, deletions, replacements and swaps of
// neighbours that turn a into b.
func distance(a, b string) int {
	two, one := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range one {
		one[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(one[j]+1, row[j-1]+1, one[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], two[j-2]+1)
			}
		}
		two, one = one, row
	}
	return one[len(b)]
}
