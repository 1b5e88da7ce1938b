package yml

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"

	"slipway/pkg/bundle"
)

// JSONSchema writes the schema for editors: JSON Schema, draft 7. It is made
// from the table that checks the YAML, so the two cannot drift apart.
func JSONSchema() ([]byte, error) {
	s := configSchema.json()
	s["$schema"] = "http://json-schema.org/draft-07/schema#"
	s["title"] = "linuxkit.yml"
	s["description"] = "A machine made of containers, as LinuxKit and Slipway build it."
	container := object(containerKeys...).json()
	s["definitions"] = map[string]any{"container": container}
	for _, section := range []bundle.Section{bundle.Onboot, bundle.Onshutdown, bundle.Services} {
		list := s["properties"].(map[string]any)[string(section)].(map[string]any)
		list["items"] = map[string]any{"$ref": "#/definitions/container"}
	}
	return json.MarshalIndent(s, "", "  ")
}

func (s *schema) json() map[string]any {
	switch s.kind {
	case isInt:
		return map[string]any{"type": "integer"}
	case isBool:
		return map[string]any{"type": "boolean"}
	case isID:
		return map[string]any{"type": []string{"integer", "string"}, "minimum": 0, "maximum": 1<<32 - 1}
	case isList:
		return map[string]any{"type": "array", "items": s.elem.json()}
	case isMap:
		return s.mapJSON()
	case isObject:
		return s.objectJSON()
	}
	return s.textJSON()
}

// textJSON offers the values to choose from even where others are taken.
func (s *schema) textJSON() map[string]any {
	out := map[string]any{"type": "string"}
	switch {
	case s.lenient:
		out["anyOf"] = []any{map[string]any{"enum": s.values}, map[string]any{}}
	case len(s.values) > 0:
		out["enum"] = s.values
	}
	if s.pattern != "" {
		out["pattern"] = s.pattern
	}
	return out
}

// mapJSON is a mapping of free names to text. Names that look like known ones
// have to be of them.
func (s *schema) mapJSON() map[string]any {
	out := map[string]any{"type": "object", "additionalProperties": map[string]any{"type": "string"}}
	if s.known == nil {
		return out
	}
	properties := map[string]any{}
	for name, sections := range s.known {
		properties[name] = map[string]any{"type": "string", "description": "for " + sections}
	}
	ours := map[string]any{"pattern": "^" + regexp.QuoteMeta(bundle.Prefix)}
	out["properties"] = properties
	out["propertyNames"] = map[string]any{"anyOf": []any{map[string]any{"enum": slices.Sorted(maps.Keys(properties))}, map[string]any{"not": ours}}}
	return out
}

func (s *schema) objectJSON() map[string]any {
	properties := map[string]any{}
	var required []string
	for _, k := range s.keys {
		p := k.schema.json()
		if k.doc != "" {
			p["description"] = k.doc
		}
		properties[k.name] = p
		if k.required {
			required = append(required, k.name)
		}
	}
	out := map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
	if required != nil {
		out["required"] = required
	}
	if s.oneOf != nil {
		var any []map[string][]string
		for _, name := range s.oneOf {
			any = append(any, map[string][]string{"required": {name}})
		}
		out["anyOf"] = any
	}
	return out
}
