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
	"strconv"
	"strings"
	"unicode/utf8"
)

// Kind says what the value of a field is.
type Kind int

// The kinds.
const (
	String  Kind = iota // a string
	Bool                // true or false; empty, "", is the same as absent
	Number              // a whole number from 0 to 2^64 - 1
	Strings             // an array of strings
	Nested              // an object, as it stands: what is in it is for others to read, who may be less strict
	Objects             // an array of objects, each as it stands
)

// kinds are what values have to be, as errors say it.
var kinds = [...]string{
	"a string", "true or false", "a whole number", "an array of strings", "an object", "an array of objects",
}

// Field is a field that an object may have.
type Field struct {
	Name string
	Kind Kind
}

// Values are the fields that an object has, by name: a string, a bool, a uint64, a []string, a [json.RawMessage]
// or several each. A field that is null is not among them.
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

// Number returns a field that is a number, and 0 if it is absent.
func (v Values) Number(name string) uint64 {
	n, _ := v[name].(uint64)
	return n
}

// Strings returns a field that is an array, and nil if it is absent.
func (v Values) Strings(name string) []string {
	all, _ := v[name].([]string)
	return all
}

// Nested returns a field that is an object, and nil if it is absent.
func (v Values) Nested(name string) json.RawMessage {
	raw, _ := v[name].(json.RawMessage)
	return raw
}

// Objects returns a field that is an array of objects, and nil if it is absent.
func (v Values) Objects(name string) []json.RawMessage {
	all, _ := v[name].([]json.RawMessage)
	return all
}

// Error says in a sentence what is wrong with an object. The sentence quotes no value, which may be a secret, and no
// name that the reader does not know.
type Error struct {
	Message string
	// Field names the field that is wrong; "" if none is, or if the name cannot be shown. One that the reader does not
	// know is the sender's own word: it is for the sender, and not for a log.
	Field string

	unknown bool // the reader does not know the field
}

// Error returns the message, which has no name that the reader does not know.
func (e *Error) Error() string { return e.Message }

// Told returns the sentence for the sender of the object, and nobody else: with the name of a field that the reader
// does not know, if that can be shown.
func (e *Error) Told() string {
	if !e.unknown || e.Field == "" {
		return e.Message
	}
	return fmt.Sprintf("%s: %q.", strings.TrimSuffix(e.Message, "."), e.Field)
}

func errorf(format string, args ...any) error { return &Error{Message: fmt.Sprintf(format, args...)} }

// errorf is an error about a field that the reader knows.
func (f *Field) errorf(format string, args ...any) error {
	return &Error{Message: fmt.Sprintf("The field %s "+format+".", append([]any{f.Name}, args...)...), Field: f.Name}
}

// unknown is an error about a field that the reader does not know. Clients go by its sentence, and by the names in it,
// to find out that a node is too old for a field.
func unknown(name string, known []Field) error {
	var names []string
	for _, f := range known {
		names = append(names, f.Name)
	}
	sentence := "The body has a field other than " + strings.Join(names, ", ") + "."
	if len(known) == 0 {
		sentence = "The body has a field, and is to have none."
	}
	return &Error{sentence, shown(name), true}
}

// maxName bounds the name of a field that the reader does not know and shows all the same, in bytes.
const maxName = 32

// shown returns a name if it is like those of fields: some letters, digits and underscores, no digit first. By a
// client's mistake there may be a secret in its place. Tokens and codes, and what was not meant to be a name, are not
// shown.
func shown(name string) string {
	odd := func(r rune) bool {
		return r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	}
	if len(name) > maxName || strings.ContainsFunc(name, odd) || strings.IndexAny(name, "0123456789") == 0 {
		return ""
	}
	return name
}

// byteOrderMark may stand before UTF-8 (Unicode section 23.8), and some editors and libraries put it there.
var byteOrderMark = []byte("\uFEFF")

// Object reads a JSON object that has no fields but those known, each at most once. Null is the same as absent, and so
// is "" for what is true or false: clients of some languages write what they do not have so. A byte order mark before
// the object is skipped. The error is an [*Error].
func Object(body []byte, known ...Field) (Values, error) {
	if !utf8.Valid(body) { // the decoder would replace what is broken
		return nil, errorf("The body is not UTF-8.")
	}
	dec := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(body, byteOrderMark)))
	dec.UseNumber() // which keeps all 64 bits
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
			return nil, f.errorf("is there twice")
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
		name, _ := key.(string)
		return Field{}, unknown(name, known)
	}
	return known[i], nil
}

// value reads the value of a field into values.
func value(dec *json.Decoder, f Field, values Values) error {
	switch f.Kind {
	case Nested:
		return nested(dec, f, values)
	case Objects:
		return objects(dec, f, values)
	}
	v, err := dec.Token()
	if err != nil {
		return describe(err)
	}
	fits := true
	switch v := v.(type) {
	case nil:
	case string:
		if fits = f.Kind == String || f.Kind == Bool && v == ""; f.Kind == String {
			values[f.Name] = v
		}
	case bool:
		fits = f.Kind == Bool
		values[f.Name] = v
	case json.Number:
		n, err := strconv.ParseUint(v.String(), 10, 64)
		fits = f.Kind == Number && err == nil
		values[f.Name] = n
	case json.Delim:
		if f.Kind != Strings || v != '[' {
			fits = false
			break
		}
		if values[f.Name], fits, err = list(dec); err != nil {
			return err
		}
	}
	if !fits {
		return f.errorf("must be %s", kinds[f.Kind])
	}
	return nil
}

// nested reads the value of a field that is an object into values.
func nested(dec *json.Decoder, f Field, values Values) error {
	var raw json.RawMessage
	if err := dec.Decode(&raw); err != nil {
		return describe(err)
	}
	switch {
	case string(raw) == "null":
	case raw[0] == '{':
		values[f.Name] = raw
	default:
		return f.errorf("must be %s", kinds[f.Kind])
	}
	return nil
}

// objects reads the value of a field that is an array of objects into values.
func objects(dec *json.Decoder, f Field, values Values) error {
	var raw json.RawMessage
	if err := dec.Decode(&raw); err != nil {
		return describe(err)
	}
	if string(raw) == "null" {
		return nil
	}
	var all []json.RawMessage
	wrong := json.Unmarshal(raw, &all) != nil ||
		slices.ContainsFunc(all, func(each json.RawMessage) bool { return len(each) == 0 || each[0] != '{' })
	if wrong {
		return f.errorf("must be %s", kinds[f.Kind])
	}
	values[f.Name] = all
	return nil
}

// list reads the rest of an array, and reports whether there are only strings in it.
func list(dec *json.Decoder) (all []string, fits bool, err error) {
	all = []string{}
	for dec.More() {
		v, err := dec.Token()
		if err != nil {
			return nil, false, describe(err)
		}
		s, isString := v.(string)
		if !isString {
			return nil, false, nil
		}
		all = append(all, s)
	}
	if _, err := dec.Token(); err != nil {
		return nil, false, describe(err)
	}
	return all, true, nil
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
