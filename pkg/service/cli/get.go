package cli

import (
	"bytes"
	"encoding/json"
	"strings"

	"slipway/pkg/service/control"
)

// runGet shows what the control socket has at a path, on a machine without curl.
func runGet(c *call) error {
	if len(c.args) != 1 || !strings.HasPrefix(c.args[0], "/") || strings.ContainsAny(c.args[0], " \r\n") {
		return usageError{"get wants a path of the control socket, such as /v1/services"}
	}
	return c.show(c.args[0])
}

func runMetrics(c *call) error {
	return c.show(control.MetricsPath)
}

// show indents JSON, which people are to read here.
func (c *call) show(path string) error {
	text, err := c.client().Raw(path)
	if err != nil {
		return err
	}
	var indented bytes.Buffer
	if json.Indent(&indented, text, "", "  ") == nil {
		text = indented.Bytes()
	}
	_, err = c.out.Write(append(bytes.TrimRight(text, "\n"), '\n'))
	return err
}
