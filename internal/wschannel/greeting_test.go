package wschannel

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParseGreeting(t *testing.T) {
	for message, want := range map[string]string{
		`{"session_token":"abc"}`:                   "abc",
		" {\n\"session_token\" : \"\\u0061bc\" }\n": "abc",
		"\uFEFF" + `{"session_token":"abc"}`:        "abc",
		``:                                          "",
		`{}`:                                        "",
		`"abc"`:                                     "",
		`["session_token","abc"]`:                   "",
		`{"session_token":""}`:                      "",
		`{"session_token":null}`:                    "",
		`{"session_token":["abc"]}`:                 "",
		`{"SESSION_TOKEN":"abc"}`:                   "",
		`{"session_token":"abc"`:                    "",
		`{"session_token":"abc"}{}`:                 "",
		`{"session_token":"abc","session_token":"d"}`:     "",
		`{"session_token":"abc","other":1}`:               "",
		"{\"session_token\":\"\xff\"}":                    "",
		`{"session_token":` + strings.Repeat("[", 4<<10):  "",
		strings.Repeat(`{"session_token":`, (4<<10)/17-1): "",
	} {
		got, err := parseGreeting([]byte(message))
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%.50q: %q, %v", message, got, err)
		}
	}
}

// What is taken for a greeting is one for any other decoder, too.
func FuzzParseGreeting(f *testing.F) {
	for _, seed := range []string{
		`{"session_token":"X7ZQ2M4K6P"}`, `{"session_token":"\u0061\ud83d\ude00"}`,
		`{"session_token":"a","session_token":"b"}`,
		`{"session_token":1}`, `{"Session_token":"a"}`, "{\"session_token\":\"\xc3\x28\"}", `{"session_token":"a"} x`, `[]`,
		``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		token, err := parseGreeting(message)
		if err != nil {
			if token != "" {
				t.Errorf("%q with an error", token)
			}
			return
		}
		var other map[string]string
		if err := json.Unmarshal(bytes.TrimPrefix(message, []byte("\uFEFF")), &other); err != nil ||
			len(other) != 1 || other["session_token"] != token {
			t.Errorf("%q: %v, %v", token, other, err)
		}
		if token == "" || !utf8.ValidString(token) {
			t.Errorf("the token %q", token)
		}
	})
}
