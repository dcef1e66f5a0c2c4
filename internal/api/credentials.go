package api

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/access"
	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/line"
	"github.com/rushgate/rushgate/internal/secondfactor"
	"github.com/rushgate/rushgate/internal/strictjson"
)

// MaxBody is the most bytes of a request body that are read, but for what providers say of players, see [bodyLimit].
const MaxBody = 4 << 10

type credentials struct {
	username, imported string // see [rushgate.LoginNames]
	attempt            string
	password, exact    string      // see [rushgate.LoginPassword]
	opaque             auth.Opaque // in place of a password
	code               secondfactor.Code
	takeover           bool
	holder             line.Holder // of the place in the line; zero for a client that knows nothing of lines
	ticket, work       string
	wait               bool // for the world, if that is full
	remember           string
	inCookie           bool // the resume token
	device             access.Device
}

// form is what a request with credentials may hold.
type form struct {
	name     func(string) (name, imported string, err error)               // which names there can be
	password func(s, username string) (canonical, exact string, err error) // which passwords there can be
	login    bool                                                          // takeover and wait are for it alone
	// message is the field that has what a client finishes OPAQUE with, of so many bytes; empty for a password.
	message string
	size    int
}

// fields are those of a form: they are the same for logins and registrations, so that a client can write both requests
// with one type.
func (f *form) fields() []strictjson.Field {
	if f.message == "" {
		return append([]strictjson.Field{{Name: "password"}}, commonFields...)
	}
	return append([]strictjson.Field{{Name: "state"}, {Name: f.message}}, commonFields...)
}

// registerForm is that of registrations, with passwords of at least so many characters.
func registerForm(passwordMin int) form {
	return form{name: newName, password: func(s, username string) (canonical, exact string, err error) {
		canonical, err = rushgate.NewPassword(s, username, passwordMin)
		return canonical, "", err
	}}
}

// loginForm is that of logins.
func loginForm() form {
	return form{name: loginName, password: func(s, _ string) (canonical, exact string, err error) {
		return rushgate.LoginPassword(s)
	}, login: true}
}

var commonFields = []strictjson.Field{
	{Name: "username"}, {Name: "attempt_id"}, {Name: "takeover", Kind: strictjson.Bool},
	{Name: "line_secret"}, {Name: "ticket"}, {Name: "line_work"}, {Name: "wait", Kind: strictjson.Bool},
	{Name: "remember"}, {Name: "remember_cookie", Kind: strictjson.Bool}, {Name: "device_id"}, {Name: "code"},
}

// newName is the one form in which new names are stored.
func newName(s string) (name, imported string, err error) {
	name, err = rushgate.NewUsername(s)
	return name, "", err
}

// loginName returns the name that the door counts by, and the one under which an account may have been imported.
func loginName(s string) (name, imported string, err error) {
	name, other, err := rushgate.LoginNames(s)
	if other != "" {
		return other, name, nil
	}
	return name, "", err
}

// readBody reads the body of a request. Its errors are [malformed].
func readBody(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, malformed{fmt.Sprintf("The body is larger than %d bytes.", tooLarge.Limit)}
	case err != nil:
		return nil, malformed{"The body could not be read."}
	}
	return body, nil
}

// readForm reads what a request holds as parse understands it, whose errors are [malformed].
func readForm[F any](r *http.Request, parse func(body []byte) (F, error)) (form F, err error) {
	body, err := readBody(r)
	if err != nil {
		return form, err
	}
	return parse(body)
}

// readFields reads a request that holds these fields. Its errors are [malformed].
func readFields(r *http.Request, fields []strictjson.Field) (strictjson.Values, error) {
	return readForm(r, func(body []byte) (strictjson.Values, error) { return object(body, fields...) })
}

// object reads a body that has these fields. Its errors are [malformed], and name the field that is wrong.
func object(body []byte, fields ...strictjson.Field) (strictjson.Values, error) {
	given, err := strictjson.Object(body, fields...)
	if err == nil {
		return given, nil
	}
	wrong := misread{malformed: malformed{err.Error()}}
	if problem, ok := errors.AsType[*strictjson.Error](err); ok {
		wrong.field = problem.Field
	}
	return nil, wrong
}

// readCredentials reads the body of a registration or login. Its errors are [malformed].
func readCredentials(r *http.Request, f form) (credentials, error) {
	return readForm(r, func(body []byte) (credentials, error) { return parseCredentials(body, f) })
}

// parseCredentials checks everything about credentials that can be checked without asking anyone. An empty attempt_id
// is the same as none.
func parseCredentials(body []byte, f form) (credentials, error) {
	given, err := object(body, f.fields()...)
	if err != nil {
		return credentials{}, err
	}
	_, named := given["username"]
	_, proved := given["password"]
	if f.message != "" && !named {
		return credentials{}, malformed{"The field username is needed."}
	}
	if f.message == "" && (!named || !proved) {
		return credentials{}, malformed{"Both username and password are needed."}
	}
	c := credentials{
		attempt: given.String("attempt_id"), takeover: given.Bool("takeover"), wait: given.Bool("wait"),
		remember: given.String("remember"), inCookie: given.Bool("remember_cookie"),
	}
	switch {
	case c.takeover && !f.login:
		return credentials{}, malformed{"A registration has no session to take over: the field takeover is for logins."}
	case given.String("code") != "" && !f.login:
		return credentials{}, malformed{"A new account has no second factor: the field code is for logins."}
	case c.wait && !f.login:
		return credentials{}, malformed{"A registration does not wait for the world: the field wait is for logins."}
	case c.wait && given.String("line_secret") == "":
		return credentials{}, malformed{"To wait for the world needs a line_secret, which is to hold the place."}
	}
	if err := validAttempt(c.attempt); err != nil {
		return credentials{}, err
	}
	if c.device, err = deviceOf(given.String("device_id")); err != nil {
		return credentials{}, err
	}
	if c.holder, c.ticket, err = place(given.String("line_secret"), given.String("ticket")); err != nil {
		return credentials{}, err
	}
	if c.work, err = proofOfWork(c.holder, given.String("line_work")); err != nil {
		return credentials{}, err
	}
	if c.code, err = parseCode(given.String("code")); err != nil {
		return credentials{}, err
	}
	if c.username, c.imported, err = f.name(given.String("username")); err != nil {
		return credentials{}, malformed{sentence(err)}
	}
	if f.message != "" {
		c.opaque, err = finishing(given, "state", f.message, f.size)
		return c, err
	}
	if c.password, c.exact, err = f.password(given.String("password"), c.username); err != nil {
		return credentials{}, malformed{sentence(err)}
	}
	return c, nil
}

// validAttempt checks an attempt_id, which may be empty.
func validAttempt(id string) error {
	if id != "" && !rushgate.ValidAttempt(id) {
		const want = "attempt_id must be 1 to %d letters, digits, '-' or '_'."
		return malformed{fmt.Sprintf(want, rushgate.MaxAttemptLen)}
	}
	return nil
}

// deviceOf returns what a client has said of its device, of which nothing is kept but a hash. It may say nothing.
func deviceOf(id string) (access.Device, error) {
	if id != "" && !rushgate.ValidAttempt(id) {
		const want = "device_id must be 1 to %d letters, digits, '-' or '_'."
		return access.Device{}, malformed{fmt.Sprintf(want, rushgate.MaxAttemptLen)}
	}
	return access.DeviceOf(id), nil
}

// place returns what a client has said of its place in the line. A ticket that is none is the door's to judge: it may
// be one of a time to come. Empty ones are the same as none.
func place(secret, ticket string) (line.Holder, string, error) {
	if secret == "" && ticket != "" {
		return line.Holder{}, "", malformed{"A ticket needs the line_secret that it was asked for with."}
	}
	if secret == "" {
		return line.Holder{}, "", nil
	}
	if !line.ValidSecret(secret) {
		const want = "line_secret must be %d to %d letters, digits, '-' or '_'."
		return line.Holder{}, "", malformed{fmt.Sprintf(want, line.MinSecret, line.MaxSecret)}
	}
	if len(ticket) > line.MaxText {
		return line.Holder{}, "", malformed{fmt.Sprintf("ticket has more than %d characters.", line.MaxText)}
	}
	return line.HolderOf([]byte(secret)), ticket, nil
}

// proofOfWork returns what a client has sent as its proof of work for a place. Whether it is good is the door's to
// judge; an empty one is the same as none.
func proofOfWork(h line.Holder, work string) (string, error) {
	if work == "" {
		return "", nil
	}
	if h == (line.Holder{}) {
		return "", malformed{"A line_work needs the line_secret that it was found for."}
	}
	if _, ok := line.ParseNonce(work); !ok {
		return "", malformed{fmt.Sprintf("line_work must be %d hexadecimal digits.", line.WorkText)}
	}
	return work, nil
}

// sentence makes an error of package rushgate one for the player.
func sentence(err error) string {
	s := err.Error()
	return strings.ToUpper(s[:1]) + s[1:] + "."
}
