package api

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/door"
)

// Plain is for a listener that refuses logins itself, without net/http. What it says is what a [New] handler on a
// [NewServer] would: FuzzSameAnswers compares them. Its methods may be called from many goroutines.
type Plain struct {
	login, register form
	prepared        map[rushgate.Reason]preparedAnswer
}

// NewPlain returns the refusals of a front door whose [Config] has these origins and this passwordMin.
func NewPlain(origins []string, passwordMin int) *Plain {
	vary := ""
	if len(origins) > 0 {
		vary = "Vary: Origin\r\n"
	}
	return &Plain{login: loginForm(), register: registerForm(passwordMin), prepared: map[rushgate.Reason]preparedAnswer{
		rushgate.ServerBusy:  prepare(rushgate.ServerBusy, vary),
		rushgate.RateLimited: prepare(rushgate.RateLimited, vary),
	}}
}

// AppendRefusal appends the answer to a login or registration over HTTP/1.1 that is refused with
// [rushgate.ServerBusy] or [rushgate.RateLimited] at the time now, and comes from no page of another origin and from no
// proxy. It allocates nothing if dst is large enough.
func (p *Plain) AppendRefusal(dst []byte, r *rushgate.Refusal, now time.Time) []byte {
	a := p.prepared[r.Reason]
	wait := max(r.RetryAfter, 1)
	dst = append(dst, a.head...)
	dst = strconv.AppendInt(dst, roundUp(wait, time.Second), 10)
	dst = append(dst, a.mid...)
	dst = now.UTC().AppendFormat(dst, http.TimeFormat)
	dst = append(dst, "\r\nContent-Length: "...)
	ms := roundUp(wait, time.Millisecond)
	dst = strconv.AppendInt(dst, int64(len(a.body)+len("}\n"))+digits(ms), 10)
	dst = append(dst, "\r\n\r\n"...)
	dst = append(dst, a.body...)
	dst = strconv.AppendInt(dst, ms, 10)
	return append(dst, "}\n"...)
}

// roundUp returns how many units a wait takes.
func roundUp(wait, unit time.Duration) int64 { return int64((wait + unit - 1) / unit) }

func digits(n int64) (digits int64) {
	for digits = 1; n >= 10; n /= 10 {
		digits++
	}
	return digits
}

// preparedAnswer is a refusal up to the seconds to wait, from there to the date, and its body up to the milliseconds.
type preparedAnswer struct{ head, mid, body string }

func prepare(reason rushgate.Reason, vary string) preparedAnswer {
	out := outcomes[reason]
	body, err := json.Marshal(refusalBody{Reason: reason, Message: out.message})
	if err != nil { // it is of strings
		panic(err)
	}
	return preparedAnswer{
		head: "HTTP/1.1 " + strconv.Itoa(out.status) + " " + http.StatusText(out.status) +
			"\r\nCache-Control: no-store\r\nConnection: close\r\nContent-Type: application/json\r\nRetry-After: ",
		mid:  "\r\n" + vary + "X-Content-Type-Options: nosniff\r\nDate: ",
		body: string(body[:len(body)-len("}")]) + `,"retry_after_ms":`,
	}
}

// KnockName returns the name of the account that a login or registration is for, by which the door counts, if username
// and password are printable ASCII, or false if the API would refuse either for its form.
func (p *Plain) KnockName(want door.Want, username, password []byte) (name string, ok bool) {
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
