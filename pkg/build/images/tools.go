package images

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
)

// packages are those of Debian that have the programs which steps run.
var packages = map[string]string{
	"apt-cache": "apt", "apt-get": "apt", "dpkg-deb": "dpkg", "depmod": "kmod", "go": "golang (or Go's own archive)", "gcc": "gcc", "pkg-config": "pkg-config",
	"aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu", "x86_64-linux-gnu-gcc": "gcc-x86-64-linux-gnu",
}

// A ToolsError names programs that a build needs and the machine lacks.
type ToolsError struct{ Missing []string }

func (e *ToolsError) Error() string {
	var text strings.Builder
	text.WriteString("programs are missing here:")
	debian := false
	for _, name := range e.Missing {
		fmt.Fprintf(&text, "\n\t%s, of Debian's package %s", name, packages[name])
		debian = debian || packages[name] == "apt" || packages[name] == "dpkg"
	}
	if debian {
		text.WriteString("\nour images are made of Debian's packages: build them on Debian or Ubuntu (or in a container of one)")
	} else {
		text.WriteString("\ninstall them")
	}
	text.WriteString(", or take images that are made: `slipway images import FILE.tar` of a release, or `slipway build --rename slipway=REGISTRY/ORG`")
	return text.String()
}

// missing are the programs that recipes need and the machine lacks.
func missing(recipes []*Recipe, s *site) error {
	var need []string
	for _, r := range recipes {
		for i := range r.Contents {
			need = append(need, tools(r.Contents[i].step(), s)...)
		}
	}
	slices.Sort(need)
	need = slices.DeleteFunc(slices.Compact(need), func(name string) bool {
		if name == "depmod" {
			name = depmodCommand().args[0]
		}
		_, err := exec.LookPath(name)
		return err == nil
	})
	if len(need) > 0 {
		return &ToolsError{need}
	}
	return nil
}

// tools are the programs that a step runs.
func tools(st step, s *site) []string {
	switch st := st.(type) {
	case *debian:
		if len(st.StandIns) > 0 {
			return []string{"apt-get", "dpkg-deb", s.gcc()}
		}
		return []string{"apt-get", "dpkg-deb"}
	case *kernel:
		return []string{"apt-cache", "apt-get", "dpkg-deb", "depmod"}
	case *program:
		return []string{"go"}
	case *module:
		switch {
		case !st.Cgo:
			return []string{"go"}
		case s.native():
			return []string{"go", s.gcc(), "pkg-config"}
		}
		return []string{"go", "pkg-config", s.gcc(), "apt-get", "dpkg-deb"}
	}
	return nil
}
