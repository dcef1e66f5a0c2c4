package strictjson

import (
	"encoding/json"
	"fmt"
)

// TwiceError is the error for an object that has a name twice, of which a decoder would take the last in silence.
type TwiceError struct{ Name string }

// Error quotes the beginning of the name.
func (e *TwiceError) Error() string {
	const shown = 64
	return fmt.Sprintf("%+q is there twice", e.Name[:min(len(e.Name), shown)])
}

// Value reads the next JSON value of a decoder, as that would, into maps, lists, texts, booleans, nil and numbers of
// the kind that the decoder is set to. Of an object that has a name twice the error is a [*TwiceError].
func Value(d *json.Decoder) (any, error) { return within(d, 0) }

// deepest is how many lists and objects may stand within each other.
const deepest = 1 << 10

var errDeep = fmt.Errorf("JSON of more than %d levels", deepest)

func within(d *json.Decoder, depth int) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch {
	case depth > deepest:
		return nil, errDeep
	case t == json.Delim('{'):
		return members(d, depth+1)
	case t == json.Delim('['):
		return elements(d, depth+1)
	}
	return t, nil
}

func members(d *json.Decoder, depth int) (map[string]any, error) {
	values := make(map[string]any)
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		key := t.(string) // or the decoder would have failed
		if _, twice := values[key]; twice {
			return nil, &TwiceError{key}
		}
		if values[key], err = within(d, depth); err != nil {
			return nil, err
		}
	}
	_, err := d.Token() // the closing brace
	return values, err
}

func elements(d *json.Decoder, depth int) ([]any, error) {
	values := []any{}
	for d.More() {
		v, err := within(d, depth)
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	_, err := d.Token() // the closing bracket
	return values, err
}
