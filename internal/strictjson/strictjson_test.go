package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

var fields = []Field{
	{Name: "name"}, {Name: "word"}, {Name: "again", Kind: Bool}, {Name: "id", Kind: Number}, {Name: "all", Kind: Strings},
}

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
		`{"again":"","id":null,"all":null}`:           {},
		`{"id":18446744073709551615}`:                 {"id": uint64(math.MaxUint64)},
		`{"all":[],"id":0}`:                           {"all": []string{}, "id": uint64(0)},
		`{"all":["a","","a"]}`:                        {"all": []string{"a", "", "a"}},
		`{"again":false,"word":"b","name":"\u00e9"} `: {"again": false, "word": "b", "name": "é"},
	} {
		got, err := Object([]byte(body), fields...)
		if err != nil || !reflect.DeepEqual(got, want) {
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
		`{"secret":1}`:                          "a field other than name, word, again, id, all.",
		`{"NAME":"secret"}`:                     "a field other than",
		`{"name":"a","name":"secret"}`:          "name is there twice",
		`{"name":null,"name":"secret"}`:         "name is there twice",
		`{"name":1}`:                            "name must be a string",
		`{"name":true}`:                         "name must be a string",
		`{"name":["secret"]}`:                   "name must be a string",
		`{"again":"true"}`:                      "again must be true or false",
		`{"again":" "}`:                         "again must be true or false",
		`{"name":[]}`:                           "name must be a string",
		`{"id":"secret"}`:                       "id must be a whole number",
		`{"id":""}`:                             "id must be a whole number",
		`{"id":-1}`:                             "id must be a whole number",
		`{"id":1.5}`:                            "id must be a whole number",
		`{"id":1e3}`:                            "id must be a whole number",
		`{"id":18446744073709551616}`:           "id must be a whole number",
		`{"id":[1]}`:                            "id must be a whole number",
		`{"all":"secret"}`:                      "all must be an array of strings",
		`{"all":{}}`:                            "all must be an array of strings",
		`{"all":["a",1]}`:                       "all must be an array of strings",
		`{"all":["a",null]}`:                    "all must be an array of strings",
		`{"all":[["secret"]]}`:                  "all must be an array of strings",
		`{"all":["secret"`:                      "ends too early",
		`{"all":["secret"}`:                     "not valid JSON",
		`{"all":[],"all":["secret"]}`:           "all is there twice",
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

// The sender of an object is told which field is wrong, by a name of its own too, if that is like one; the error
// itself, which may go to a log, has no word of the sender's.
func TestFieldsAreNamedToTheSender(t *testing.T) {
	for body, want := range map[string]struct{ field, told string }{
		`{"again":"secret"}`:      {"again", "The field again must be true or false."},
		`{"name":"a","name":"b"}`: {"name", "The field name is there twice."},
		`{"all":["secret",1]}`:    {"all", "The field all must be an array of strings."},
		`{"nme":"secret"}`:        {"nme", `The body has a field other than name, word, again, id, all: "nme".`},
		`{"\u006eme_2":"secret"}`: {"nme_2", `The body has a field other than name, word, again, id, all: "nme_2".`},
		`{"name":"a","NAME":"b"}`: {"NAME", `The body has a field other than name, word, again, id, all: "NAME".`},
		`{"":"secret"}`:           {},
		`{"2nd":"secret"}`:        {},
		`{"7K2M-QX9D-4HPT":""}`:   {},
		`{"n\u00e4me":"secret"}`:  {},
		`{"na me":"secret"}`:      {},
		`{"<b>":"secret"}`:        {},
		`{"a\u0000b":"secret"}`:   {},
		`{"` + strings.Repeat("x", maxName) + `":1}`: {strings.Repeat("x", maxName),
			`The body has a field other than name, word, again, id, all: "` + strings.Repeat("x", maxName) + `".`},
		`{"` + strings.Repeat("x", maxName+1) + `":1}`: {},
		`{"name":"secret"`: {"", "The body is not valid JSON: it ends too early."},
	} {
		_, err := Object([]byte(body), fields...)
		problem, ok := errors.AsType[*Error](err)
		if want.told == "" {
			want.told = "The body has a field other than name, word, again, id, all."
		}
		if !ok || problem.Field != want.field || problem.Told() != want.told {
			t.Errorf("%.60s: %v, %q; want %+v", body, err, problem.Field, want)
		} else if strings.Contains(err.Error(), `"`) {
			t.Errorf("%.60s: the error has the sender's word: %s", body, err)
		}
	}
}

// What is taken for an object is the same object for any other decoder.
func TestObjectsStandAsTheyAre(t *testing.T) {
	field := Field{Name: "a", Kind: Objects}
	for body, want := range map[string]int{`{}`: 0, `{"a":null}`: 0, `{"a":[]}`: 0, `{"a":[{"b":1}, {}]}`: 2} {
		v, err := Object([]byte(body), field)
		if all := v.Objects("a"); err != nil || len(all) != want || want == 2 && string(all[0]) != `{"b":1}` {
			t.Errorf("%s: %s, %v", body, all, err)
		}
	}
	for _, body := range []string{
		`{"a":{}}`, `{"a":[1]}`, `{"a":[{},null]}`, `{"a":[[{}]]}`, `{"a":"secret"}`, `{"a":[{}`,
	} {
		if v, err := Object([]byte(body), field); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, %v", body, v, err)
		}
	}
}

func FuzzObject(f *testing.F) {
	for _, seed := range []string{
		`{"name":"alice","word":"b"}`, `{"again":true}`, `{"name":null}`, `{"name":"a","name":"b"}`, "\uFEFF{}",
		`{"NAME":"a"}`, "{\"name\":\"\xc3\x28\"}", `{"name":"\ud83d"}`, `[]`, `{"again":tru}`, ``,
		`{"id":7,"all":["a","b"],"again":""}`, `{"id":-0}`,
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
			if len(problem.Field) > maxName || len(problem.Told()) > len(problem.Message)+len(problem.Field)+4 ||
				problem.Field != shown(problem.Field) {
				t.Fatalf("the field %q, told %q", problem.Field, problem.Told())
			}
			return
		}
		var other map[string]any
		if err := json.Unmarshal([]byte(strings.TrimPrefix(string(body), "\uFEFF")), &other); err != nil {
			t.Fatalf("accepted what is no JSON: %v", err)
		}
		maps.DeleteFunc(other, func(name string, v any) bool { return v == nil || name == "again" && v == "" })
		want, err := json.Marshal(other)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := json.Marshal(got); err != nil || got.Number("id") < 1<<53 && !bytes.Equal(b, want) {
			t.Fatalf("%s (%v), and %s for another decoder", b, err, want)
		}
		for _, v := range got {
			if s, ok := v.(string); ok && !utf8.ValidString(s) {
				t.Fatalf("the string %q", s)
			}
		}
	})
}
