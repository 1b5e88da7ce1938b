package check

import "testing"

func TestCrunFaulty(t *testing.T) {
	for version, want := range map[string]bool{
		"1.8.1-1+deb12u1": true, "1.21-1": true, "1.27": true, "1.27.9": true, "0.17+dfsg-1.1": true,
		"1.28": false, "1.28.0-1": false, "1.29.1": false, "2.0": false, "": false, "x": false, "1": false,
	} {
		if got := crunFaulty(version); got != want {
			t.Errorf("%q: %v", version, got)
		}
	}
}

func TestRuncWant(t *testing.T) {
	const any = "1.2.8, 1.3.6, 1.4.3, 1.5.0 or later"
	for version, want := range map[string]string{
		"1.2.7": "1.2.8 or later", "1.2.8": "", "v1.2.8": "", "1.2.8-rc.1": "1.2.8 or later", "1.2.8+dev": "", "1.2.10": "",
		"1.3.5": "1.3.6 or later", "1.3.6": "", "1.3.0-rc.2+dirty": "1.3.6 or later",
		"1.4.2": "1.4.3 or later", "1.4.3": "", "1.5.0": "", "1.5.0-rc.1": "1.5.0 or later", "v1.5.2": "", "1.6.0-rc.1": "", "2.0.0": "",
		"1.1.15": any, "1.0.0-rc95": any, "0.1.1": any,
		"": "", "(devel)": "", "unknown": "", "1.2": "", "1.2.7.1": "", "99999999999999999999.0.0": "",
	} {
		if got := runcWant(version); got != want {
			t.Errorf("%q: got %q, want %q", version, got, want)
		}
	}
}
