package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rushgate/rushgate"
)

// MaxBody is the most bytes of a request body that are read.
const MaxBody = 4 << 10

type credentials struct {
	username, password, attempt string
	takeover                    bool
}

// field is one that a body may have.
type field struct {
	name    string
	boolean bool // true or false, and not a string
}

// form is what a request with credentials may hold.
type form struct {
	fields []field
	name   func(string) (string, error) // which names there can be
}

var (
	registerForm = form{[]field{{name: "username"}, {name: "password"}, {name: "attempt_id"}}, rushgate.ParseUsername}
	loginForm    = form{append(slices.Clip(registerForm.fields), field{name: "takeover", boolean: true}), rushgate.LoginName}
)

// readCredentials reads the body of a registration or login. Its errors are [malformed].
func readCredentials(r *http.Request, f form) (credentials, error) {
	body, err := io.ReadAll(r.Body)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return credentials{}, malformed{fmt.Sprintf("The body is larger than %d bytes.", MaxBody)}
	case err != nil:
		return credentials{}, malformed{"The body could not be read."}
	}
	return parseCredentials(body, f)
}

// parseCredentials checks everything about credentials that can be checked without asking anyone.
func parseCredentials(body []byte, f form) (credentials, error) {
	fields, err := readFields(body, f.fields)
	if err != nil {
		return credentials{}, err
	}
	username, ok := fields["username"].(string)
	password, ok2 := fields["password"].(string)
	if !ok || !ok2 {
		return credentials{}, malformed{"Both username and password are needed."}
	}
	var c credentials
	if c.username, err = f.name(username); err != nil {
		return credentials{}, malformed{sentence(err)}
	}
	if c.password, err = rushgate.ParsePassword(password); err != nil {
		return credentials{}, malformed{sentence(err)}
	}
	c.takeover, _ = fields["takeover"].(bool)
	if attempt, ok := fields["attempt_id"].(string); ok {
		if c.attempt = attempt; !validAttempt(attempt) {
			return credentials{}, malformed{fmt.Sprintf("attempt_id must be 1 to %d letters, digits, '-' or '_'.", rushgate.MaxAttemptLen)}
		}
	}
	return c, nil
}

// readFields reads a JSON object that has no fields but those known, each at most once, and returns strings and
// booleans. Decoding into a struct would be more lenient: it takes USERNAME for username, null for nothing, and the last
// of several. Errors are [malformed] and quote no values, which may be secrets.
func readFields(body []byte, known []field) (map[string]any, error) {
	if !utf8.Valid(body) { // the decoder would replace what is broken
		return nil, malformed{"The body is not UTF-8."}
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	open, err := dec.Token()
	if err != nil {
		return nil, malformed{describeJSONError(err)}
	}
	if open != json.Delim('{') {
		return nil, malformed{"The body must be a JSON object."}
	}
	fields := make(map[string]any)
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, malformed{describeJSONError(err)}
		}
		name, _ := key.(string) // a decoder takes nothing else for a key
		i := slices.IndexFunc(known, func(f field) bool { return f.name == name })
		if i < 0 {
			return nil, malformed{"The body has a field other than " + fieldNames(known) + "."}
		}
		if _, twice := fields[name]; twice {
			return nil, malformed{fmt.Sprintf("The field %s is there twice.", name)}
		}
		value, err := dec.Token()
		if err != nil {
			return nil, malformed{describeJSONError(err)}
		}
		_, isString := value.(string)
		_, isBool := value.(bool)
		switch {
		case known[i].boolean && !isBool:
			return nil, malformed{fmt.Sprintf("The field %s must be true or false.", name)}
		case !known[i].boolean && !isString:
			return nil, malformed{fmt.Sprintf("The field %s must be a string.", name)}
		}
		fields[name] = value
	}
	if _, err := dec.Token(); err != nil {
		return nil, malformed{describeJSONError(err)}
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, malformed{"There is something after the JSON object."}
	}
	return fields, nil
}

func fieldNames(known []field) string {
	var names []string
	for _, f := range known {
		names = append(names, f.name)
	}
	return strings.Join(names, ", ")
}

func validAttempt(s string) bool {
	if s == "" || len(s) > rushgate.MaxAttemptLen {
		return false
	}
	const allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return !strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune(allowed, r) })
}

// describeJSONError says what is wrong without quoting values.
func describeJSONError(err error) string {
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return fmt.Sprintf("The body is not valid JSON (near byte %d).", syntax.Offset)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "The body is not valid JSON: it ends too early."
	default:
		return "The body is not valid JSON."
	}
}

// sentence makes an error of package rushgate one for the player.
func sentence(err error) string {
	s := err.Error()
	return strings.ToUpper(s[:1]) + s[1:] + "."
}
