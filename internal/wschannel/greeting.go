package wschannel

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"
)

// errGreeting refuses a first message. What was wrong is not told in detail: the message holds a secret.
var errGreeting = errors.New(`wschannel: the first message is not {"session_token":"…"}`)

// parseGreeting returns the session token in a client's first message, a JSON object with that field and no other.
// Decoding into a struct would be more lenient: it takes SESSION_TOKEN for session_token, and the last of several.
func parseGreeting(message []byte) (token string, err error) {
	if !utf8.Valid(message) { // the decoder would replace what is broken
		return "", errGreeting
	}
	dec := json.NewDecoder(bytes.NewReader(message))
	for _, want := range []json.Token{json.Delim('{'), "session_token"} {
		if got, err := dec.Token(); err != nil || got != want {
			return "", errGreeting
		}
	}
	value, err := dec.Token()
	token, isString := value.(string)
	if err != nil || !isString || token == "" {
		return "", errGreeting
	}
	if got, err := dec.Token(); err != nil || got != json.Delim('}') {
		return "", errGreeting
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return "", errGreeting
	}
	return token, nil
}
