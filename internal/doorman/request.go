package doorman

import (
	"bytes"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/internal/line"
)

// maxRequest is the length from which on a request is read by net/http only.
const maxRequest = 8 << 10

// maxBody is the longest body that the doorman reads; what is longer goes on to net/http.
const maxBody = 4 << 10

// step is how much of a login or registration a request is.
type step uint8

const (
	whole    step = iota // by a password
	begins               // the first request of one by OPAQUE
	finishes             // the second
)

// request is a login or registration as a client of today sends it, or a part of one, in bytes of the buffer that it
// was read from; or the question how far a line has come.
type request struct {
	asks, world        bool // the question, of the line before the door or of the world's; it has nothing of a login
	want               door.Want
	step               step
	reachesCookie      bool // the path is one beside that of the resume cookie
	username, password []byte
	message, state     []byte // of OPAQUE
	recovers           bool   // what is registered is for an account that there is
	attempt            []byte
	secret, ticket     []byte // of the line
	work               []byte
	takeover           bool
	wait               bool // for the world, if that is full
	last               bool // the client wants the connection closed after the answer
	// What browsers say of the page that a request comes from; nil for what they do not say.
	origin, site, host []byte
}

// parse reads a buffer that holds exactly one whole request. It reports false for what it does not recognise for sure:
// another path, another form of the same request, an error of the client's, a part of a request, or more than one. That
// is for net/http to judge. What parse takes, package api reads in the same way, see FuzzSameAnswers.
func parse(b []byte, r *request) bool {
	*r = request{}
	line, rest, ok := cutLine(b)
	if !ok {
		return false
	}
	if !r.route(line) {
		return false
	}
	var h headers
	for {
		if line, rest, ok = cutLine(rest); !ok {
			return false
		}
		if len(line) == 0 {
			break
		}
		if !h.take(line) {
			return false
		}
	}
	r.host, r.origin, r.site, r.last = h.host, h.origin, h.site, h.last
	if h.authorized && r.step != whole { // by the token of a session: a change of the account that it is of
		return false
	}
	return h.host != nil && h.length == len(rest) && (r.asks && len(rest) == 0 || !r.asks && r.body(rest))
}

// route reads the request line, and reports false for those that are the server's behind. The doorman knows what a
// stranger may send that has to be worked for: docs/tick.md has the table of all other routes and why they are not
// here.
func (r *request) route(line []byte) bool {
	switch string(line) {
	case "POST /v1/login HTTP/1.1":
		r.want, r.reachesCookie = door.Login, true
	case "POST /v1/register HTTP/1.1":
		r.want, r.reachesCookie = door.Register, true
	case "POST /v1/opaque/login/start HTTP/1.1":
		r.want, r.step = door.Login, begins
	case "POST /v1/opaque/register/start HTTP/1.1":
		r.want, r.step = door.Register, begins
	case "POST /v1/opaque/login/finish HTTP/1.1":
		r.want, r.step = door.Login, finishes
	case "POST /v1/opaque/register/finish HTTP/1.1":
		r.want, r.step = door.Register, finishes
	case "POST /v1/opaque-login HTTP/1.1":
		r.want, r.step, r.reachesCookie = door.Login, finishes, true
	case "POST /v1/opaque-register HTTP/1.1":
		r.want, r.step, r.reachesCookie = door.Register, finishes, true
	case "GET /v1/line HTTP/1.1", "GET /v1/line?line=door HTTP/1.1":
		r.asks = true
	case "GET /v1/line?line=world HTTP/1.1":
		r.asks, r.world = true, true
	default:
		return false
	}
	return true
}

// cutLine cuts a line that ends with CR and LF.
func cutLine(b []byte) (line, rest []byte, ok bool) {
	i := bytes.IndexByte(b, '\n')
	if i < 1 || b[i-1] != '\r' {
		return nil, nil, false
	}
	return b[:i-1], b[i+1:], true
}

// headers is what the doorman has to know of a request's header fields.
type headers struct {
	length             int // of the body; 0 until it is known
	host, origin, site []byte
	last               bool
	authorized         bool // there is an Authorization, whatever it is
}

// take reads a line, and reports false if net/http has to look at the request.
func (h *headers) take(line []byte) bool {
	colon := bytes.IndexByte(line, ':')
	if colon < 1 {
		return false
	}
	name, value := line[:colon], bytes.Trim(line[colon+1:], " \t")
	for _, c := range name {
		if !token[c] {
			return false
		}
	}
	for _, c := range value {
		if (c < ' ' || c > '~') && c != '\t' {
			return false
		}
	}
	switch len(name) {
	case len("Host"):
		if equalFold(name, "host") {
			return onlyHost(value) && once(&h.host, value)
		}
	case len("Origin"):
		if equalFold(name, "origin") {
			return once(&h.origin, value)
		}
	case len("Content-Length"): // and Sec-Fetch-Site
		if equalFold(name, "content-length") {
			return h.takeLength(value)
		}
		if equalFold(name, "sec-fetch-site") {
			return once(&h.site, value)
		}
	case len("Authorization"):
		h.authorized = h.authorized || equalFold(name, "authorization")
	case len("Connection"):
		if equalFold(name, "connection") {
			return h.takeConnection(value)
		}
	}
	return !consequential(name)
}

// once takes the value of a field that may be there once, and not empty.
func once(field *[]byte, value []byte) bool {
	if *field != nil || len(value) == 0 {
		return false
	}
	*field = value
	return true
}

func onlyHost(value []byte) bool {
	for _, c := range value {
		if !letterOrDigit(c) && c != '-' && c != '.' && c != ':' && c != '[' && c != ']' {
			return false
		}
	}
	return true
}

func (h *headers) takeLength(value []byte) bool {
	if h.length != 0 || len(value) == 0 || len(value) > 4 || value[0] == '0' {
		return false
	}
	for _, c := range value {
		if c < '0' || c > '9' {
			return false
		}
		h.length = 10*h.length + int(c-'0')
	}
	return h.length <= maxBody
}

func (h *headers) takeConnection(value []byte) bool {
	if equalFold(value, "close") {
		h.last = true
		return true
	}
	return equalFold(value, "keep-alive")
}

// consequential reports whether a header field changes what becomes of a login, or how its body is read, in a way that
// is for net/http and package api.
func consequential(name []byte) bool {
	for _, known := range [...]string{
		"transfer-encoding", "expect", "upgrade", "trailer", "te", "content-encoding", "http2-settings",
		"proxy-connection", "keep-alive",
	} {
		if equalFold(name, known) {
			return true
		}
	}
	return false
}

// equalFold compares ASCII bytes with lower-case ones.
func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

func letterOrDigit(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// token are the bytes of header field names (RFC 9110 section 5.6.2).
var token = func() (t [256]bool) {
	for c := range t {
		t[c] = letterOrDigit(byte(c)) || bytes.IndexByte([]byte("!#$%&'*+-.^_`|~"), byte(c)) >= 0
	}
	return t
}()

// mayHave reports whether a request of this step has a field of a name, if anything of the kind has.
func (r *request) mayHave(field string) bool {
	switch field {
	case "username", "device_id":
		return true
	case "password":
		return r.step == whole
	case "ke1":
		return r.step == begins && r.want == door.Login
	case "request", "recover":
		return r.step == begins && r.want == door.Register
	case "ke3":
		return r.step == finishes && r.want == door.Login
	case "upload":
		return r.step == finishes && r.want == door.Register
	case "state":
		return r.step == finishes
	}
	return r.step != begins
}

// body reads a JSON object of the fields of a login or registration, each at most once, whose strings are printable
// ASCII without escapes.
func (r *request) body(b []byte) bool {
	s := scanner{b}
	if !s.byte('{') {
		return false
	}
	var seen struct {
		username, password, attempt, takeover, secret, ticket, work, wait, remember, cookie, device bool

		message, state, recovers bool
	}
	var labelled, inCookie bool // the device is named; its token is to go into the cookie
	for {
		key, ok := s.string()
		if !ok || !r.mayHave(string(key)) || !s.byte(':') {
			return false
		}
		var once *bool
		switch string(key) {
		case "username":
			once = &seen.username
			r.username, ok = s.string()
		case "password":
			once = &seen.password
			r.password, ok = s.string()
		case "ke1", "request", "ke3", "upload":
			once = &seen.message
			r.message, ok = s.string()
		case "state":
			once = &seen.state
			r.state, ok = s.string()
		case "recover":
			once = &seen.recovers
			r.recovers, ok = s.bool()
		case "attempt_id":
			once = &seen.attempt
			r.attempt, ok = s.string()
		case "line_secret":
			once = &seen.secret
			r.secret, ok = s.string()
		case "ticket":
			once = &seen.ticket
			r.ticket, ok = s.string()
		case "line_work":
			once = &seen.work
			r.work, ok = s.string()
		case "device_id":
			once = &seen.device
			var id []byte
			id, ok = s.string()
			ok = ok && (len(id) == 0 || rushgate.ValidAttempt(string(id)))
		case "takeover":
			once = &seen.takeover
			r.takeover, ok = s.bool()
			ok = ok && r.want == door.Login
		case "wait":
			once = &seen.wait
			r.wait, ok = s.bool()
			ok = ok && r.want == door.Login
		case "remember":
			once = &seen.remember
			var label []byte
			label, ok = s.string()
			labelled = len(label) > 0
			ok = ok && (!labelled || rushgate.ValidDeviceLabel(string(label)))
		case "remember_cookie":
			once = &seen.cookie
			inCookie, ok = s.bool()
			ok = ok && (!inCookie || r.reachesCookie && r.ownPage())
		default:
			return false
		}
		if !ok || *once {
			return false
		}
		*once = true
		if !s.byte(',') {
			break
		}
	}
	if !s.byte('}') {
		return false
	}
	s.space()
	proved := seen.password || seen.message && (seen.state || r.step == begins)
	return len(s.rest) == 0 && seen.username && proved && (labelled || !inCookie) &&
		(len(r.attempt) == 0 || rushgate.ValidAttempt(string(r.attempt))) && r.place()
}

// ownPage reports whether a request certainly comes from a page of the node's own, or from no page. What else may have
// a cookie is for package api to say.
func (r *request) ownPage() bool {
	return string(r.site) == "same-origin" || r.site == nil && r.origin == nil
}

// place reports whether what the client says of its place in the line has the right form.
func (r *request) place() bool {
	if len(r.secret) == 0 {
		return len(r.ticket) == 0 && len(r.work) == 0 && !r.wait
	}
	if _, ok := line.ParseNonce(r.work); !ok && len(r.work) > 0 {
		return false
	}
	return line.ValidSecret(r.secret) && len(r.ticket) <= line.MaxText
}

// scanner reads the part of JSON (RFC 8259) that clients send.
type scanner struct{ rest []byte }

func (s *scanner) space() {
	for len(s.rest) > 0 && (s.rest[0] == ' ' || s.rest[0] == '\n' || s.rest[0] == '\r' || s.rest[0] == '\t') {
		s.rest = s.rest[1:]
	}
}

func (s *scanner) byte(c byte) bool {
	s.space()
	if len(s.rest) == 0 || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

func (s *scanner) string() ([]byte, bool) {
	if !s.byte('"') {
		return nil, false
	}
	for i, c := range s.rest {
		switch {
		case c == '"':
			value := s.rest[:i]
			s.rest = s.rest[i+1:]
			return value, true
		case c == '\\' || c < ' ' || c > '~':
			return nil, false
		}
	}
	return nil, false
}

func (s *scanner) bool() (value, ok bool) {
	s.space()
	for _, word := range [...]string{"true", "false"} {
		if bytes.HasPrefix(s.rest, []byte(word)) {
			s.rest = s.rest[len(word):]
			return word == "true", true
		}
	}
	return false, false
}
