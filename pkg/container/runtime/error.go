package runtime

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"slipway/pkg/reap"
)

// Error is a call that the runtime itself failed.
type Error struct {
	Runtime string // the name of its kind
	Verb    string
	Status  reap.Status
	Message string // the runtime's own words, or ""
}

func (e *Error) Error() string {
	if e.Message == "" {
		return fmt.Sprintf("%s %s: %s", e.Runtime, e.Verb, e.Status)
	}
	return fmt.Sprintf("%s %s: %s", e.Runtime, e.Verb, e.Message)
}

// Repeats tells whether a line of the container's output is what the runtime has
// written there of the same failure, as it does beside its log.
func Repeats(err error, line string) bool {
	e, is := errors.AsType[*Error](err)
	return is && e.Message != "" && strings.HasSuffix(strings.TrimSpace(line), e.Message)
}

// lastError takes the last error out of the runtime's log, without the words
// that only say which parts of the runtime it came through.
func lastError(status reap.Status, file string) string {
	if status.Success() {
		return ""
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	var message string
	for line := range bytes.Lines(data) {
		var entry struct{ Level, Msg string }
		if json.Unmarshal(line, &entry) == nil && (entry.Level == "error" || entry.Level == "fatal") {
			message = entry.Msg
		}
	}
	for _, noise := range []string{
		"runc run failed: ", "runc create failed: ", "unable to start container process: ",
		"error during container init: ",
	} {
		message = strings.TrimPrefix(message, noise)
	}
	return message
}
