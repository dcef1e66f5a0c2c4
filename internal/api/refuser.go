package api

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/internal/opaque"
)

// Refuser is for a listener that refuses logins itself, and tells by itself how far the line has come, without
// net/http. What it says is what a [New] handler on a [NewServer] would: FuzzSameAnswers compares them. Its methods may
// be called from many goroutines.
type Refuser struct {
	login, register form
	origins         []string
	scheme          string // of the node's own pages
	keeps           bool   // connections stay open after a refusal
	prepared        map[preparedFor]preparedAnswer
	lines           *LineDocuments
	told            map[string]preparedHead // by page, as in preparedFor
	opaque          *opaque.Server          // nil: OPAQUE is off
	noPasswords     bool
}

// preparedFor is what the prepared answers differ in; page is an allowed origin or "".
type preparedFor struct {
	reason rushgate.Reason
	page   string
}

// RefuserConfig is what a [Refuser] needs, all of it as in the [Config] of the front door whose refusals it gives.
type RefuserConfig struct {
	Origins     []string
	PasswordMin int
	Opaque      *opaque.Server
	OpaqueMode  OpaqueMode
	Lines       *LineDocuments
	// OverTLS says that the front door speaks TLS.
	OverTLS bool
}

// NewRefuser returns the refusals of a front door.
func NewRefuser(cfg RefuserConfig) *Refuser {
	origins := cfg.Origins
	p := &Refuser{
		login: loginForm(), register: registerForm(cfg.PasswordMin), origins: origins, scheme: "http://",
		keeps: cfg.OverTLS, prepared: make(map[preparedFor]preparedAnswer),
		lines: cfg.Lines, told: make(map[string]preparedHead),
		opaque: cfg.Opaque, noPasswords: cfg.OpaqueMode == OpaqueOnly,
	}
	if cfg.OverTLS {
		p.scheme = "https://"
	}
	for _, page := range append([]string{""}, origins...) {
		for _, reason := range []rushgate.Reason{rushgate.ServerBusy, rushgate.RateLimited} {
			p.prepared[preparedFor{reason, page}] = p.prepare(reason, page)
		}
		p.told[page] = p.prepareLine(page)
	}
	return p
}

// Page returns the allowed origin of the page that a request comes from, if that needs no more than a
// look at what browsers say by the header fields Origin, Sec-Fetch-Site and Host, nil for those that are not there; ""
// if the request comes from no page or from one of the node's own. It reports false for all other pages.
func (p *Refuser) Page(origin, site, host []byte) (allowed string, ok bool) {
	if len(p.origins) > 0 && origin != nil {
		if i := slices.Index(p.origins, string(origin)); i >= 0 {
			return p.origins[i], true
		}
		if canonical, err := ParseOrigin(string(origin)); err == nil && slices.Contains(p.origins, canonical) {
			return "", false // written in another way, which the answer repeats
		}
	}
	switch string(site) {
	case "same-origin", "none":
		return "", true
	case "":
		return "", site == nil && (origin == nil || p.isOwnHost(origin, host))
	default:
		return "", false
	}
}

// isOwnHost reports whether an origin is the very host that a request was sent to.
func (p *Refuser) isOwnHost(origin, host []byte) bool {
	rest, found := bytes.CutPrefix(origin, []byte(p.scheme))
	return found && bytes.Equal(rest, host) && host[0] != ':' && host[0] != '['
}

// AppendRefusal appends the answer to a login or registration over HTTP/1.1 that is refused with
// [rushgate.ServerBusy] or [rushgate.RateLimited] at the time now, and comes from no proxy. page is what Page returned;
// last says that the client wants the connection closed. It allocates nothing if dst is large enough.
func (p *Refuser) AppendRefusal(dst []byte, r *rushgate.Refusal, page string, last bool, now time.Time) []byte {
	a := p.prepared[preparedFor{r.Reason, page}]
	wait := max(r.RetryAfter, 1)
	dst = append(dst, a.head...)
	dst = strconv.AppendInt(dst, roundUp(wait, time.Second), 10)
	dst = append(dst, a.mid...)
	dst = now.UTC().AppendFormat(dst, http.TimeFormat)
	dst = append(dst, "\r\nContent-Length: "...)
	// The length is known once the body is: it is put together behind where it will be.
	length := len(dst)
	const room = len("9999")
	dst = append(dst, "0000"...)
	if last && p.keeps {
		dst = append(dst, "\r\nConnection: close"...)
	}
	dst = append(dst, "\r\n\r\n"...)
	body := len(dst)
	if r.Mode != "" {
		dst = appendText(append(dst, a.reason...), messageFor(r))
		dst = append(dst, retryField...)
	} else {
		dst = append(dst, a.body...)
	}
	dst = strconv.AppendInt(dst, roundUp(wait, time.Millisecond), 10)
	if r.Mode != "" {
		dst = appendMode(dst, r)
	}
	if r.Place.Number > 0 {
		dst = appendPlace(dst, &r.Place)
	} else if r.Work.Bits > 0 {
		dst = appendWork(dst, &r.Work)
	}
	dst = append(dst, "}\n"...)
	digits := strconv.AppendInt(dst[len(dst):], int64(len(dst)-body), 10)
	return slices.Delete(dst, length+copy(dst[length:], digits), length+room)
}

// AppendLine appends the answer to a request for the document of a line, that of the world or that before the door,
// over HTTP/1.1 at the time now. page and last are as for [Refuser.AppendRefusal]. But for a few times a second it
// allocates nothing if dst is large enough.
func (p *Refuser) AppendLine(dst []byte, world bool, page string, last bool, now time.Time) []byte {
	h, body := p.told[page], p.lines.of(world)
	dst = append(dst, h.head...)
	dst = strconv.AppendInt(dst, int64(len(body)), 10)
	dst = append(dst, h.mid...)
	dst = now.UTC().AppendFormat(dst, http.TimeFormat)
	if last {
		dst = append(dst, "\r\nConnection: close"...)
	}
	return append(append(dst, "\r\n\r\n"...), body...)
}

// retryField is what stands between the message of a refusal and the milliseconds to wait.
const retryField = `,"retry_after_ms":`

// appendMode appends what a refusal says of the mode, as JSON.
func appendMode(dst []byte, r *rushgate.Refusal) []byte {
	dst = append(append(append(dst, `,"mode":"`...), r.Mode...), '"')
	if r.OpensAt.IsZero() {
		return dst
	}
	dst = r.OpensAt.UTC().AppendFormat(append(dst, `,"opens_at":"`...), timestampLayout)
	return append(dst, '"')
}

// appendText appends a text without control characters as a JSON string, as package json writes it.
func appendText(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := range len(s) {
		switch c := s[i]; c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '<', '>', '&':
			dst = hex.AppendEncode(append(dst, `\u00`...), []byte{c})
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

// appendPlace appends what [placeBody] is as JSON, of a place before the door.
func appendPlace(dst []byte, p *rushgate.Place) []byte {
	for _, field := range [...]struct {
		name  string
		value int64
	}{
		{`,"place":`, int64(p.Number)}, {`,"eta_low_ms":`, p.Low.Milliseconds()},
		{`,"eta_high_ms":`, roundUp(p.High, time.Millisecond)},
		{`,"poll_after_ms":`, roundUp(p.PollAfter, time.Millisecond)}, {`,"turn_ms":`, p.Turn.UnixMilli()},
	} {
		dst = strconv.AppendInt(append(dst, field.name...), field.value, 10)
	}
	if p.Ticket != "" {
		dst = append(append(append(dst, `,"ticket":"`...), p.Ticket...), '"')
	}
	if p.Lost != "" {
		dst = append(append(append(dst, `,"place_lost":"`...), p.Lost...), '"')
	}
	return dst
}

// appendWork appends what [workBody] is as JSON.
func appendWork(dst []byte, w *rushgate.Work) []byte {
	dst = strconv.AppendInt(append(dst, `,"work_bits":`...), int64(w.Bits), 10)
	return append(hex.AppendEncode(append(dst, `,"work_salt":"`...), w.Salt[:]), '"')
}

// roundUp returns how many units a wait takes.
func roundUp(wait, unit time.Duration) int64 { return int64((wait + unit - 1) / unit) }

// preparedAnswer is a refusal up to the seconds to wait, from there to the date, and its body up to the milliseconds;
// reason is that up to the message.
type preparedAnswer struct{ head, mid, body, reason string }

func (p *Refuser) prepare(reason rushgate.Reason, page string) preparedAnswer {
	out := outcomes[reason]
	body, err := json.Marshal(refusalBody{Reason: reason, Message: out.message})
	if err != nil { // it is of strings
		panic(err)
	}
	before, after := p.fieldsFor(page)
	connection := ""
	if !p.keeps {
		connection = "Connection: close\r\n"
	}
	return preparedAnswer{
		head: "HTTP/1.1 " + strconv.Itoa(out.status) + " " + http.StatusText(out.status) + "\r\n" + before +
			"Cache-Control: no-store\r\n" + connection + "Content-Type: application/json\r\nRetry-After: ",
		mid:    "\r\n" + after + "X-Content-Type-Options: nosniff\r\nDate: ",
		body:   string(body[:len(body)-len("}")]) + retryField,
		reason: `{"reason":"` + string(reason) + `","message":`,
	}
}

// fieldsFor returns the header fields by which a browser lets a page read an answer: those before, in the order in
// which net/http has them, and behind all others but X-Content-Type-Options.
func (p *Refuser) fieldsFor(page string) (before, after string) {
	if page != "" {
		before = "Access-Control-Allow-Origin: " + page + "\r\nAccess-Control-Expose-Headers: " + corsExposed + "\r\n"
	}
	if len(p.origins) > 0 {
		after = "Vary: Origin\r\n"
	}
	return before, after
}

// preparedHead is the head of the line's document up to its length, and from there to the date.
type preparedHead struct{ head, mid string }

func (p *Refuser) prepareLine(page string) preparedHead {
	before, after := p.fieldsFor(page)
	return preparedHead{
		head: "HTTP/1.1 200 OK\r\n" + before + "Cache-Control: " + lineCache + "\r\nContent-Length: ",
		mid:  "\r\nContent-Type: application/json\r\n" + after + "X-Content-Type-Options: nosniff\r\nDate: ",
	}
}

// KnockName returns the name of the account that a login or registration is for, by which the door counts, if username
// and password are printable ASCII, or false if the API would refuse either for its form, or takes no passwords.
func (p *Refuser) KnockName(want door.Want, username, password []byte) (name string, ok bool) {
	if p.noPasswords {
		return "", false
	}
	f := &p.login
	if want == door.Register {
		f = &p.register
	}
	name, _, err := f.name(string(username))
	if err != nil {
		return "", false
	}
	_, _, err = f.password(string(password), name)
	return name, err == nil
}

// BeginName is [Refuser.KnockName] for what begins a login or registration by OPAQUE, with the message that the client
// has sent in base64url. recovers says that what is registered is for an account that there is.
func (p *Refuser) BeginName(want door.Want, recovers bool, username, message []byte) (name string, ok bool) {
	size, named := opaque.KE1Size, p.login.name
	if want == door.Register {
		size = opaque.RequestSize
		if !recovers {
			named = p.register.name
		}
	}
	var room [opaque.KE1Size + opaque.RequestSize]byte
	if b, ok := decodeTo(room[:], message); p.opaque == nil || !ok || len(b) != size {
		return "", false
	}
	name, _, err := named(string(username))
	return name, err == nil
}

// FinishName is [Refuser.KnockName] for what ends a login or registration by OPAQUE, with what the client has sent as
// its state and message in base64url, and returns the id of the try that a login was begun as. It reports false for a
// login whose state is not good: the API says so before it asks the door.
func (p *Refuser) FinishName(
	want door.Want, username, state, message []byte,
) (name string, id door.TryID, ok bool) {
	size, named := opaque.KE3Size, p.login.name
	if want == door.Register {
		size, named = opaque.UploadSize, p.register.name
	}
	var rooms struct {
		message [opaque.UploadSize + opaque.KE3Size]byte
		state   [opaque.MaxLoginState]byte
	}
	if b, ok := decodeTo(rooms.message[:], message); p.opaque == nil || !ok || len(b) != size {
		return "", id, false
	}
	sealed, ok := decodeTo(rooms.state[:], state)
	if !ok || len(sealed) == 0 {
		return "", id, false
	}
	name, _, err := named(string(username))
	if err != nil {
		return "", id, false
	}
	if want == door.Register { // whose state is looked at later
		return name, id, true
	}
	login, err := p.opaque.LoginOpen(sealed, opaque.PurposeLogin)
	if err != nil {
		return "", id, false
	}
	return name, door.TryID(login.ID), true
}

// strictBase64 is how messages of OPAQUE are written.
var strictBase64 = base64.RawURLEncoding.Strict()

// decodeTo decodes base64url into room, and reports false for what is none, or too long for it.
func decodeTo(room, text []byte) (b []byte, ok bool) {
	if strictBase64.DecodedLen(len(text)) > len(room) {
		return nil, false
	}
	n, err := strictBase64.Decode(room, text)
	return room[:n], err == nil
}
