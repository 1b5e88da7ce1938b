package supervisor

import "testing"

func TestStatusHears(t *testing.T) {
	const text = "Name:\tx\nNSpid:\t%\nSigBlk:\t0000000000000002\nSigIgn:\t0000000000000001\nSigCgt:\t0000000000004000\n"
	first := "Name:\tx\nNSpid:\t71\t1\n" + text[len("Name:\tx\nNSpid:\t%\n"):]
	other := "Name:\tx\nNSpid:\t71\n" + text[len("Name:\tx\nNSpid:\t%\n"):]
	cases := []struct {
		name, status string
		sig          int
		want         bool
	}{
		{"handler", first, 15, true},
		{"no handler in the first process of a namespace", first, 10, false},
		{"no handler elsewhere", other, 10, true},
		{"blocked", first, 2, true},
		{"ignored", other, 1, false},
		{"nothing known", "", 15, true},
	}
	for _, c := range cases {
		if got := statusHandles([]byte(c.status), c.sig); got != c.want {
			t.Errorf("%s: hears = %v", c.name, got)
		}
	}
}
