package module

// match says whether name matches an alias pattern as fnmatch(3) without flags
// does: `*`, `?` and `[...]`. Module names and aliases take "-" and "_" for the
// same character outside of brackets, as in kmod.
func match(pattern, name string) bool {
	star, mark := -1, 0
	p, n := 0, 0
	// Most of the thousands of patterns differ from a name in the numbers that both begin with.
	for p < min(len(pattern), len(name)) && pattern[p] == name[p] && pattern[p] != '*' && pattern[p] != '?' && pattern[p] != '[' {
		p++
	}
	n = p
	for n < len(name) {
		if p < len(pattern) && pattern[p] == '*' {
			star, mark = p, n
			p++
			continue
		}
		if next, ok := matchOne(pattern, p, name[n]); ok {
			p, n = next, n+1
			continue
		}
		if star < 0 {
			return false
		}
		// Let the last star swallow one character more.
		mark++
		p, n = star+1, mark
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// matchOne matches one character against the element of the pattern at p and
// returns the position behind that element.
func matchOne(pattern string, p int, c byte) (next int, ok bool) {
	if p >= len(pattern) {
		return p, false
	}
	switch pattern[p] {
	case '?':
		return p + 1, true
	case '[':
		return matchSet(pattern, p, c)
	}
	return p + 1, dash(pattern[p]) == dash(c)
}

// matchSet matches a bracket expression. One that is never closed matches
// nothing.
func matchSet(pattern string, p int, c byte) (next int, ok bool) {
	i := p + 1
	negated := i < len(pattern) && (pattern[i] == '!' || pattern[i] == '^')
	if negated {
		i++
	}
	found := false
	for first := true; i < len(pattern) && (first || pattern[i] != ']'); first = false {
		low, high := pattern[i], pattern[i]
		if i+2 < len(pattern) && pattern[i+1] == '-' && pattern[i+2] != ']' {
			high = pattern[i+2]
			i += 2
		}
		found = found || low <= c && c <= high
		i++
	}
	if i >= len(pattern) {
		return p, false
	}
	return i + 1, found != negated
}

func dash(c byte) byte {
	if c == '-' {
		return '_'
	}
	return c
}
