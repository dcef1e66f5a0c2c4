package strictjson

import (
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"
	"unicode/utf8"
)

var fields = []Field{{Name: "name"}, {Name: "word"}, {Name: "again", Bool: true}}

// The same request written in another way is the same request.
func TestNullAndAbsentAreTheSame(t *testing.T) {
	for body, want := range map[string]Values{
		`{}`:                         {},
		`{"name":null,"again":null}`: {},
		`{"name":"","again":false}`:  {"name": "", "again": false},
		" { \"name\" : \"a\" ,\n\"again\" : true } ":  {"name": "a", "again": true},
		`{"name":"\u0061","word":null}`:               {"name": "a"},
		"\uFEFF" + `{"name":"a"}`:                     {"name": "a"},
		`{"name":"` + "\uFEFF" + `a"}`:                {"name": "\uFEFFa"},
		`{"again":false,"word":"b","name":"\u00e9"} `: {"again": false, "word": "b", "name": "é"},
	} {
		got, err := Object([]byte(body), fields...)
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("%q: %v, %v, want %v", body, got, err, want)
		}
	}
}

func TestWhatIsNoObjectIsRefusedWithoutQuotingIt(t *testing.T) {
	for body, message := range map[string]string{
		``:                                      "ends too early",
		"\uFEFF":                                "ends too early",
		"\uFEFF\uFEFF{}":                        "not valid JSON",
		`{"name":"secret`:                       "not valid JSON",
		`name=secret`:                           "not valid JSON",
		`null`:                                  "must be a JSON object",
		`["secret"]`:                            "must be a JSON object",
		strings.Repeat("[", 4<<10):              "must be a JSON object",
		`{"secret":1}`:                          "a field other than name, word, again.",
		`{"NAME":"secret"}`:                     "a field other than",
		`{"name":"a","name":"secret"}`:          "name is there twice",
		`{"name":null,"name":"secret"}`:         "name is there twice",
		`{"name":1}`:                            "name must be a string",
		`{"name":true}`:                         "name must be a string",
		`{"name":["secret"]}`:                   "name must be a string",
		`{"again":"true"}`:                      "again must be true or false",
		`{"again":0}`:                           "again must be true or false",
		`{"again":{}}`:                          "again must be true or false",
		`{"name":"a"} {"name":"secret"}`:        "something after",
		"{\"name\":\"secret\xff\"}":             "not UTF-8",
		"\xff\xfe{\x00}\x00":                    "not UTF-8",
		strings.Repeat(`{"name":`, (4<<10)/8-1): "name must be a string",
	} {
		got, err := Object([]byte(body), fields...)
		var problem *Error
		if got != nil || !errors.As(err, &problem) || !strings.Contains(problem.Message, message) {
			t.Errorf("%.40q: %v, %v, want %q", body, got, err, message)
		} else if strings.Contains(problem.Message, "secret") {
			t.Errorf("%.40q: the error quotes the body: %s", body, problem.Message)
		}
	}
}

// What is taken for an object is the same object for any other decoder.
func FuzzObject(f *testing.F) {
	for _, seed := range []string{
		`{"name":"alice","word":"b"}`, `{"again":true}`, `{"name":null}`, `{"name":"a","name":"b"}`, "\uFEFF{}",
		`{"NAME":"a"}`, "{\"name\":\"\xc3\x28\"}", `{"name":"\ud83d"}`, `[]`, `{"again":tru}`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := Object(body, fields...)
		if err != nil {
			var problem *Error
			if got != nil || !errors.As(err, &problem) || problem.Message == "" {
				t.Fatalf("%v with the error %v", got, err)
			}
			return
		}
		var other map[string]any
		if err := json.Unmarshal([]byte(strings.TrimPrefix(string(body), "\uFEFF")), &other); err != nil {
			t.Fatalf("accepted what is no JSON: %v", err)
		}
		maps.DeleteFunc(other, func(_ string, v any) bool { return v == nil })
		if !maps.Equal(got, other) {
			t.Fatalf("%v, and %v for another decoder", got, other)
		}
		for _, v := range got {
			if s, ok := v.(string); ok && !utf8.ValidString(s) {
				t.Fatalf("the string %q", s)
			}
		}
	})
}
