// Package strictjson reads the small JSON objects that clients send. Decoding into a struct would be more lenient than
// is safe for credentials: it takes USERNAME for username, the last of several fields of one name, and replaces what is
// not UTF-8, so that two readers of the same bytes could see different passwords.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// Field is a field that an object may have.
type Field struct {
	Name string
	// Bool: the value is true or false; otherwise it is a string.
	Bool bool
}

// Values are the fields that an object has, by name: a string or a bool each. A field that is null is not among them.
type Values map[string]any

// String returns a field that is a string, and "" if it is absent.
func (v Values) String(name string) string {
	s, _ := v[name].(string)
	return s
}

// Bool returns a field that is true or false, and false if it is absent.
func (v Values) Bool(name string) bool {
	b, _ := v[name].(bool)
	return b
}

// Error says in a sentence what is wrong with an object. It quotes no value, which may be a secret, and no name that
// the reader does not know.
type Error struct{ Message string }

// Error returns the message.
func (e *Error) Error() string { return e.Message }

func errorf(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...)} }

// byteOrderMark may stand before UTF-8 (Unicode section 23.8), and some editors and libraries put it there.
var byteOrderMark = []byte("\uFEFF")

// Object reads a JSON object that has no fields but those known, each at most once. Null is the same as absent. A byte
// order mark before the object is skipped. The error is an [*Error].
func Object(body []byte, known ...Field) (Values, error) {
	if !utf8.Valid(body) { // the decoder would replace what is broken
		return nil, errorf("The body is not UTF-8.")
	}
	dec := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(body, byteOrderMark)))
	open, err := dec.Token()
	if err != nil {
		return nil, describe(err)
	}
	if open != json.Delim('{') {
		return nil, errorf("The body must be a JSON object.")
	}
	values := make(Values)
	var seen []string
	for dec.More() {
		f, err := name(dec, known)
		if err != nil {
			return nil, err
		}
		if slices.Contains(seen, f.Name) {
			return nil, errorf("The field %s is there twice.", f.Name)
		}
		seen = append(seen, f.Name)
		if err := value(dec, f, values); err != nil {
			return nil, err
		}
	}
	if _, err := dec.Token(); err != nil {
		return nil, describe(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errorf("There is something after the JSON object.")
	}
	return values, nil
}

// name reads the name of a field.
func name(dec *json.Decoder, known []Field) (Field, error) {
	key, err := dec.Token()
	if err != nil {
		return Field{}, describe(err)
	}
	i := slices.IndexFunc(known, func(f Field) bool { return f.Name == key })
	if i < 0 {
		var names []string
		for _, f := range known {
			names = append(names, f.Name)
		}
		return Field{}, errorf("The body has a field other than %s.", strings.Join(names, ", "))
	}
	return known[i], nil
}

// value reads the value of a field into values.
func value(dec *json.Decoder, f Field, values Values) error {
	v, err := dec.Token()
	if err != nil {
		return describe(err)
	}
	if v == nil {
		return nil
	}
	_, isString := v.(string)
	_, isBool := v.(bool)
	switch {
	case f.Bool && !isBool:
		return errorf("The field %s must be true or false.", f.Name)
	case !f.Bool && !isString:
		return errorf("The field %s must be a string.", f.Name)
	}
	values[f.Name] = v
	return nil
}

// describe says what is wrong without quoting values.
func describe(err error) error {
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return errorf("The body is not valid JSON (near byte %d).", syntax.Offset)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errorf("The body is not valid JSON: it ends too early.")
	default:
		return errorf("The body is not valid JSON.")
	}
}
