package yml

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"go.yaml.in/yaml/v3"
)

// UnmarshalYAML reads a number or a name.
func (id *ID) UnmarshalYAML(n *yaml.Node) error {
	if n.Tag == "!!int" {
		return n.Decode(&id.Number)
	}
	id.Name = n.Value
	return nil
}

// MarshalYAML writes the ID as it was read.
func (id ID) MarshalYAML() (any, error) { return id.value(), nil }

// MarshalJSON writes the ID as it was read.
func (id ID) MarshalJSON() ([]byte, error) { return json.Marshal(id.value()) }

func (id ID) value() any {
	if id.Name != "" {
		return id.Name
	}
	return id.Number
}

// UnmarshalYAML keeps the limits as written.
func (r *Resources) UnmarshalYAML(n *yaml.Node) error {
	r.node = n
	return nil
}

// MarshalYAML writes the limits as they were read.
func (r Resources) MarshalYAML() (any, error) { return detached(r.node), nil }

// detached is a copy without aliases, which may stand before their anchors once
// the sections are in order.
func detached(n *yaml.Node) *yaml.Node {
	c := *follow(n)
	c.Anchor, c.Content = "", nil
	if c.Kind != yaml.MappingNode {
		for _, x := range follow(n).Content {
			c.Content = append(c.Content, detached(x))
		}
		return &c
	}
	for _, f := range fields(n) {
		c.Content = append(c.Content, detached(f.key), detached(f.value))
	}
	return &c
}

// MarshalJSON writes the limits as they were read.
func (r Resources) MarshalJSON() ([]byte, error) { return json.Marshal(plain(r.node, false)) }

// Spec is the limits as the OCI runtime wants them. LinuxKit's tool reads this
// part of the YAML by lower-case names only, and so loses every key with a
// capital letter in it; with asLinuxKit they are lost here too.
func (r Resources) Spec(asLinuxKit bool) (specs.LinuxResources, error) {
	var out specs.LinuxResources
	data, err := json.Marshal(plain(r.node, asLinuxKit))
	if err != nil {
		return out, err
	}
	var wrong *json.UnmarshalTypeError
	if err := json.Unmarshal(data, &out); errors.As(err, &wrong) {
		return out, fmt.Errorf("%s: %s does not fit", wrong.Field, wrong.Value)
	} else if err != nil {
		return out, err
	}
	return out, nil
}

// Mapping is the range as the OCI runtime wants it. With asLinuxKit only its
// size is kept, as LinuxKit's tool does for the reason given at Resources.
func (m IDMapping) Mapping(asLinuxKit bool) specs.LinuxIDMapping {
	if asLinuxKit {
		return specs.LinuxIDMapping{Size: m.Size}
	}
	return specs.LinuxIDMapping{ContainerID: m.ContainerID, HostID: m.HostID, Size: m.Size}
}

// plain turns checked YAML to what encoding/json takes, with the runtime
// specification's names where linuxkit.yml's differ.
func plain(n *yaml.Node, lowerOnly bool) any {
	n = follow(n)
	switch {
	case n == nil:
		return nil
	case n.Kind == yaml.SequenceNode:
		list := []any{}
		for _, c := range n.Content {
			list = append(list, plain(c, lowerOnly))
		}
		return list
	case n.Kind == yaml.MappingNode:
		m := map[string]any{}
		for _, f := range fields(n) {
			key := f.key.Value
			if lowerOnly && strings.ToLower(key) != key {
				continue
			}
			m[runtimeName(key)] = pageSize(key, plain(f.value, lowerOnly))
		}
		return m
	case n.Tag == "!!int":
		return json.Number(decimal(n.Value))
	case n.Tag == "!!bool":
		return n.Value == "true"
	case n.Tag == "!!null":
		return nil
	}
	return n.Value
}

func runtimeName(key string) string {
	if key == "blockio" {
		return "blockIO"
	}
	return key
}

// pageSize writes a huge page's size in bytes as the kernel names it: "2MB".
func pageSize(key string, v any) any {
	number, ok := v.(json.Number)
	if key != "pageSize" || !ok {
		return v
	}
	n, err := number.Int64()
	switch {
	case err != nil:
		return v
	case n >= 1<<30 && n%(1<<30) == 0:
		return strconv.FormatInt(n>>30, 10) + "GB"
	case n >= 1<<20 && n%(1<<20) == 0:
		return strconv.FormatInt(n>>20, 10) + "MB"
	}
	return strconv.FormatInt(n>>10, 10) + "KB"
}

// decimal writes YAML's hexadecimal, octal and grouped numbers as JSON can.
func decimal(v string) string {
	if n, err := strconv.ParseInt(v, 0, 64); err == nil {
		return strconv.FormatInt(n, 10)
	}
	if n, err := strconv.ParseUint(v, 0, 64); err == nil {
		return strconv.FormatUint(n, 10)
	}
	return v
}
