package steam

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate/internal/identity"
	"github.com/rushgate/rushgate/internal/outbound"
)

// standIn takes the place of Steam, whose servers tests do not call. It is written from the public documentation:
// ISteamUserAuth/AuthenticateUserTicket of the Steamworks Web API, and OpenID Authentication 2.0; what the former
// answers is not documented, and is as those who call it have written it down. No test here has seen the real one.
type standIn struct {
	tickets map[string]string // of hex: what is answered
	reply   func(*http.Request) (int, string)
	secret  []byte
	used    map[string]bool
	asked   int
}

const key, ada = "0123456789ABCDEF", "76561197960287930"

// RoundTrip implements [http.RoundTripper].
func (s *standIn) RoundTrip(req *http.Request) (*http.Response, error) {
	s.asked++
	status, body := s.answer(req)
	if status == 0 {
		<-req.Context().Done()
		return nil, req.Context().Err()
	}
	return &http.Response{StatusCode: status, Header: make(http.Header), Body: io.NopCloser(strings.NewReader(body))}, nil
}

func (s *standIn) answer(req *http.Request) (int, string) {
	if s.reply != nil {
		return s.reply(req)
	}
	q := req.URL.Query()
	switch req.Method + " https://" + req.URL.Host + req.URL.Path {
	case "GET " + ticketURL:
		if req.Header.Get("X-Webapi-Key") != key || q.Has("key") {
			return 403, "<html>Forbidden</html>"
		}
		answer, ok := s.tickets[q.Get("ticket")]
		if !ok || q.Get("identity") != "game" {
			return 200, refusal(101, "Invalid ticket")
		}
		if q.Get("appid") != "480" {
			return 200, refusal(102, "Ticket for other app")
		}
		return 200, answer
	case "POST " + endpoint:
		b, err := io.ReadAll(req.Body)
		form, err2 := url.ParseQuery(string(b))
		if errors.Join(err, err2) != nil || form.Get("openid.mode") != "check_authentication" {
			return 400, ""
		}
		nonce := form.Get("openid.response_nonce")
		valid := form.Get("openid.sig") == s.sign(form) && !s.used[nonce]
		s.used[nonce] = true
		return 200, fmt.Sprintf("ns:%s\nis_valid:%v\n", namespace, valid)
	default:
		return 404, ""
	}
}

func refusal(code int, text string) string {
	return fmt.Sprintf(`{"response":{"error":{"errorcode":%d,"errordesc":%q}}}`, code, text)
}

func (s *standIn) sign(form url.Values) string {
	h := hmac.New(sha256.New, s.secret)
	for name := range strings.SplitSeq(form.Get("openid.signed"), ",") {
		fmt.Fprintf(h, "%s:%s\n", name, form.Get("openid."+name))
	}
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// visit has a player who is logged in at Steam go to its page, and returns what the browser is sent back with.
func (s *standIn) visit(tb testing.TB, page string, at time.Time) url.Values {
	tb.Helper()
	u, err := url.Parse(page)
	if err != nil {
		tb.Fatal(err)
	}
	q := u.Query()
	back, err := url.Parse(q.Get("openid.return_to"))
	if err != nil {
		tb.Fatal(err)
	}
	if q.Get("openid.mode") != "checkid_setup" || q.Get("openid.ns") != namespace ||
		!strings.HasPrefix(back.String(), q.Get("openid.realm")) {
		tb.Fatalf("not a request that Steam takes: %v", q)
	}
	answer := back.Query()
	for name, value := range map[string]string{
		"ns": namespace, "mode": "id_res", "op_endpoint": endpoint, "claimed_id": claimedPrefix + ada,
		"identity": claimedPrefix + ada, "return_to": back.String(), "assoc_handle": "1234567890",
		"response_nonce": at.UTC().Format("2006-01-02T15:04:05Z") + fmt.Sprint("s4DPZce8qc+", len(s.used)),
		"signed":         "signed,op_endpoint,claimed_id,identity,return_to,response_nonce,assoc_handle",
	} {
		answer.Set("openid."+name, value)
	}
	answer.Set("openid.sig", s.sign(answer))
	return answer
}

func newStandIn() *standIn {
	return &standIn{tickets: make(map[string]string), secret: []byte("Valve's"), used: make(map[string]bool)}
}

// config is for what asks the stand-in.
func (s *standIn) config(now func() time.Time) Config {
	return Config{
		Calls: outbound.New(outbound.Config{Transport: s, Failures: 1 << 20}), Now: now,
		Once: identity.NewSeen(1<<16, now).Once,
	}
}

// wantError checks an error, and that it tells nothing that it should not.
func wantError(t *testing.T, what string, err error, whose identity.Whose, kind error, secrets ...string) {
	t.Helper()
	var e *identity.Error
	if !errors.As(err, &e) || e.Whose != whose || !errors.Is(e, kind) ||
		(whose == identity.Provider) != (e.After >= time.Second) {
		t.Errorf("%s: %v (%#v), want the %v's: %v", what, err, e, whose, kind)
		return
	}
	for _, secret := range append(secrets, key, ada) {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error says %v", what, err)
		}
	}
}
