package yml

import "encoding/json"

// JSONSchema writes the schema for editors: JSON Schema, draft 7. It is made
// from the table that checks the YAML, so the two cannot drift apart.
func JSONSchema() ([]byte, error) {
	s := configSchema.json()
	s["$schema"] = "http://json-schema.org/draft-07/schema#"
	s["title"] = "linuxkit.yml"
	return json.MarshalIndent(s, "", "  ")
}

func (s *schema) json() map[string]any {
	switch s.kind {
	case isInt:
		return map[string]any{"type": "integer"}
	case isBool:
		return map[string]any{"type": "boolean"}
	case isID:
		return map[string]any{"type": []string{"integer", "string"}}
	case isList:
		return map[string]any{"type": "array", "items": s.elem.json()}
	case isMap:
		return map[string]any{"type": "object", "additionalProperties": map[string]any{"type": "string"}}
	case isObject:
		return s.objectJSON()
	}
	out := map[string]any{"type": "string"}
	if len(s.values) > 0 {
		out["enum"] = s.values
	}
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
	return out
}
