package tree

import "time"

// Epoch is the time of everything the builder itself makes, as in LinuxKit's
// images, so that the same inputs give the same bytes.
var Epoch = time.Date(2017, 4, 18, 16, 30, 0, 0, time.UTC)
