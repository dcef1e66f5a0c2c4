package api

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/strictjson"
)

// MaxBody is the most bytes of a request body that are read.
const MaxBody = 4 << 10

type credentials struct {
	username, attempt string
	password, exact   string // see [rushgate.LoginPassword]
	takeover          bool
}

// form is what a request with credentials may hold.
type form struct {
	fields   []strictjson.Field
	name     func(string) (string, error)                      // which names there can be
	password func(string) (canonical, exact string, err error) // which passwords there can be
}

var (
	common       = []strictjson.Field{{Name: "username"}, {Name: "password"}, {Name: "attempt_id"}}
	registerForm = form{common, rushgate.ParseUsername, registered}
	loginForm    = form{
		append(slices.Clip(common), strictjson.Field{Name: "takeover", Bool: true}),
		rushgate.LoginName, rushgate.LoginPassword,
	}
)

// registered is the one form in which new passwords are hashed.
func registered(s string) (canonical, exact string, err error) {
	canonical, err = rushgate.ParsePassword(s)
	return canonical, "", err
}

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

// parseCredentials checks everything about credentials that can be checked without asking anyone. An empty attempt_id
// is the same as none.
func parseCredentials(body []byte, f form) (credentials, error) {
	fields, err := strictjson.Object(body, f.fields...)
	if err != nil {
		return credentials{}, malformed{err.Error()}
	}
	_, named := fields["username"]
	_, proved := fields["password"]
	if !named || !proved {
		return credentials{}, malformed{"Both username and password are needed."}
	}
	c := credentials{attempt: fields.String("attempt_id"), takeover: fields.Bool("takeover")}
	if c.username, err = f.name(fields.String("username")); err != nil {
		return credentials{}, malformed{sentence(err)}
	}
	if c.password, c.exact, err = f.password(fields.String("password")); err != nil {
		return credentials{}, malformed{sentence(err)}
	}
	if c.attempt != "" && !rushgate.ValidAttempt(c.attempt) {
		const want = "attempt_id must be 1 to %d letters, digits, '-' or '_'."
		return credentials{}, malformed{fmt.Sprintf(want, rushgate.MaxAttemptLen)}
	}
	return c, nil
}

// sentence makes an error of package rushgate one for the player.
func sentence(err error) string {
	s := err.Error()
	return strings.ToUpper(s[:1]) + s[1:] + "."
}
