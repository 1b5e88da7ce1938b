package yml

import (
	"regexp"
	"strings"
)

// imageName is NAME[:TAG][@DIGEST] in the grammar of the OCI distribution
// specification, imageHost what may stand in front of it, as Docker has it.
var (
	imageName = regexp.MustCompile(`^` + imagePart + `(?:/` + imagePart + `)*` +
		`(?::[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(?:@(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}))?$`)
	imageHost = regexp.MustCompile(`^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(?::[0-9]+)?$`)
)

const imagePart = `[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*`

// imageNameWords is what IsImageName takes.
const imageNameWords = "[HOST/]NAME[:TAG][@sha256:DIGEST] in small letters, such as alpine:3.20"

// IsImageName tells whether a text can name an image at all.
func IsImageName(name string) bool {
	host, rest, below := strings.Cut(name, "/")
	if below && (strings.ContainsAny(host, ".:") || host == "localhost") {
		return imageHost.MatchString(host) && imageName.MatchString(rest)
	}
	return imageName.MatchString(name)
}
