package source

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// step is one step of a path: the value of a name, the element of a number, or the one that has a value.
type step struct {
	name       string
	index      int // if name and key are empty
	key, value string
}

var errPath = errors.New("not a path: NAME, NAME.NAME, NAME[0] or NAME[KEY=VALUE]")

// parsePath reads a path, with or without the "?" behind it. The first step is a name.
func parsePath(path string) ([]step, error) {
	rest := strings.TrimSuffix(path, "?")
	var steps []step
	for rest != "" {
		switch rest[0] {
		case '[':
			inner, after, ok := strings.Cut(rest[1:], "]")
			key, value, pair := strings.Cut(inner, "=")
			n, err := strconv.ParseUint(inner, 10, 16)
			if !ok || len(steps) == 0 || !pair && err != nil || pair && key == "" {
				return nil, fmt.Errorf("%+q is %w", path, errPath)
			}
			if !pair {
				key = ""
			}
			steps, rest = append(steps, step{index: int(n), key: key, value: value}), after
		default:
			end := strings.IndexAny(rest, ".[")
			if end < 0 {
				end = len(rest)
			}
			if end == 0 {
				return nil, fmt.Errorf("%+q is %w", path, errPath)
			}
			steps, rest = append(steps, step{name: rest[:end]}), rest[end:]
		}
		if after, dot := strings.CutPrefix(rest, "."); dot {
			if rest = after; rest == "" {
				return nil, fmt.Errorf("%+q is %w", path, errPath)
			}
		}
	}
	if len(steps) == 0 {
		return nil, fmt.Errorf("%+q is %w", path, errPath)
	}
	return steps, nil
}

// look returns the value at a path; false if there is none. A name with a dot in it may be a name as it is.
func look(values map[string]any, path string) (any, bool) {
	path = strings.TrimSuffix(path, "?")
	if v, ok := values[path]; ok {
		return v, true
	}
	steps, err := parsePath(path)
	if err != nil {
		return nil, false
	}
	var v any = values
	for i := range steps {
		if v = steps[i].of(v); v == nil {
			return nil, false
		}
	}
	return v, true
}

// of returns what a step leads to, nil if there is nothing.
func (s *step) of(v any) any {
	if text, ok := v.(string); ok {
		var inner any
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		if d.Decode(&inner) != nil {
			return nil
		}
		v = inner
	}
	switch v := v.(type) {
	case map[string]any:
		if s.name != "" {
			return v[s.name]
		}
	case []any:
		if s.name != "" {
			return nil
		}
		if s.key == "" && s.index < len(v) {
			return v[s.index]
		}
		for _, element := range v {
			m, _ := element.(map[string]any)
			if s.key != "" && m != nil && text(m[s.key]) == s.value {
				return m
			}
		}
	}
	return nil
}

// text returns a value's text: that of a number as it is written, that of nothing empty.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	default:
		return ""
	}
}

// textAt returns the text at a path.
func textAt(values map[string]any, path string) string {
	v, _ := look(values, path)
	return text(v)
}
