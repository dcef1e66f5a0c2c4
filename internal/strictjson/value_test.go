package strictjson

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// A value is what a decoder makes of it, unless an object in it has a name twice.
func TestValue(t *testing.T) {
	for _, c := range []struct{ text, twice string }{
		{`{"a":{"b":[1,"x",null,true,{}],"c":[]},"d":1e3}`, ""},
		{`{"a":1,"a":2}`, "a"},
		{`{"a":{"b":1,"\u0062":1}}`, "b"},
		{`[{"a":1},{"a":1},{"c":1,"b":{},"c":[]}]`, "c"},
		{`{"a":null,"A":1}`, ""},
	} {
		got, err := Value(json.NewDecoder(strings.NewReader(c.text)))
		var twice *TwiceError
		if c.twice != "" {
			if !errors.As(err, &twice) || twice.Name != c.twice {
				t.Errorf("%s: %v, %v; want %q to be there twice", c.text, got, err, c.twice)
			}
			continue
		}
		var want any
		if err := errors.Join(err, json.Unmarshal([]byte(c.text), &want)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s is read as %v, %v; want %v", c.text, got, err, want)
		}
	}
	for _, text := range []string{"", "{", `{"a"`, `{"a":1,}`, "[1", "]", strings.Repeat("[", 1<<20)} {
		if v, err := Value(json.NewDecoder(strings.NewReader(text))); err == nil {
			t.Errorf("%.20q is read as %v", text, v)
		}
	}
}

func FuzzValue(f *testing.F) {
	f.Add(`{"a":{"b":[1,"x",null,true,{}]},"c":1e3}`)
	f.Add(`{"a":1,"\u0061":2}`)
	f.Fuzz(func(t *testing.T, text string) {
		got, err := Value(json.NewDecoder(strings.NewReader(text)))
		var want any
		if json.NewDecoder(strings.NewReader(text)).Decode(&want) == nil && err == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("%q is read as %v, want %v", text, got, want)
		}
	})
}
