package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/rushgate/rushgate"
)

// MaxBody is the most bytes of a request body that are read.
const MaxBody = 4 << 10

type credentialsBody struct {
	Username  *string `json:"username"`
	Password  *string `json:"password"`
	AttemptID *string `json:"attempt_id"`
}

type credentials struct {
	username, password, attempt string
}

// readCredentials reads the body of a registration or login. Its errors are [malformed].
func readCredentials(r *http.Request) (credentials, error) {
	body, err := io.ReadAll(r.Body)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return credentials{}, malformed{fmt.Sprintf("The body is larger than %d bytes.", MaxBody)}
	case err != nil:
		return credentials{}, malformed{"The body could not be read."}
	}
	return parseCredentials(body)
}

// parseCredentials checks everything about credentials that can be checked without asking anyone.
func parseCredentials(body []byte) (credentials, error) {
	if !utf8.Valid(body) { // the decoder would replace what is broken, and two passwords could become one
		return credentials{}, malformed{"The body is not UTF-8."}
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	var b credentialsBody
	if err := dec.Decode(&b); err != nil {
		return credentials{}, malformed{describeJSONError(err)}
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return credentials{}, malformed{"There is something after the JSON object."}
	}
	if b.Username == nil || b.Password == nil {
		return credentials{}, malformed{"Both username and password are needed."}
	}
	var c credentials
	var err error
	if c.username, err = rushgate.ParseUsername(*b.Username); err != nil {
		return credentials{}, malformed{sentence(err)}
	}
	if c.password, err = rushgate.ParsePassword(*b.Password); err != nil {
		return credentials{}, malformed{sentence(err)}
	}
	if b.AttemptID != nil {
		if c.attempt = *b.AttemptID; !validAttempt(c.attempt) {
			return credentials{}, malformed{fmt.Sprintf("attempt_id must be 1 to %d letters, digits, '-' or '_'.", rushgate.MaxAttemptLen)}
		}
	}
	return c, nil
}

func validAttempt(s string) bool {
	if s == "" || len(s) > rushgate.MaxAttemptLen {
		return false
	}
	const allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return !strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune(allowed, r) })
}

// describeJSONError says what is wrong without quoting values, which may be secrets.
func describeJSONError(err error) string {
	var syntax *json.SyntaxError
	var typ *json.UnmarshalTypeError
	switch {
	case errors.As(err, &typ) && typ.Field != "":
		return fmt.Sprintf("The field %s must be a string.", typ.Field)
	case errors.As(err, &typ):
		return "The body must be a JSON object."
	case errors.As(err, &syntax):
		return fmt.Sprintf("The body is not valid JSON (near byte %d).", syntax.Offset)
	case errors.Is(err, io.EOF):
		return "The body is empty."
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "The body is not valid JSON: it ends too early."
	case strings.HasPrefix(err.Error(), "json: unknown field"):
		return "The body has a field other than username, password and attempt_id."
	default:
		return "The body is not valid JSON."
	}
}

// sentence makes an error of package rushgate one for the player.
func sentence(err error) string {
	s := err.Error()
	return strings.ToUpper(s[:1]) + s[1:] + "."
}
