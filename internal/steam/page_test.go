package steam

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/internal/identity"
)

const back = "https://game.example/steam/back"

func newPages(tb testing.TB, s *standIn, now func() time.Time) *Pages {
	tb.Helper()
	p, err := NewPages(back, s.config(now))
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func TestAPlayerVisitsSteamAndComesBack(t *testing.T) {
	s := newStandIn()
	p := newPages(t, s, time.Now)
	a, page := p.Begin()
	answer := s.visit(t, page, time.Now())
	_, err := p.Finish(t.Context(), identity.NewAttempt(time.Now()), answer)
	wantError(t, "another browser", err, identity.Player, identity.ErrState)
	got, err := p.Finish(t.Context(), a, answer)
	if want := (identity.Identity{Issuer: Issuer, Subject: ada}); err != nil || got != want {
		t.Fatalf("%+v, %v", got, err)
	}
	_, err = p.Finish(t.Context(), a, answer)
	wantError(t, "Steam says that it was used", err, identity.Player, identity.ErrRefused)
	clear(s.used) // Steam forgets
	_, err = p.Finish(t.Context(), a, answer)
	wantError(t, "the node says so", err, identity.Player, identity.ErrUsed)
}

// What is changed in an answer is noticed, also if Steam would sign it: another site of the player's gets such answers.
func TestAnswersThatAreNotSteamsAboutThisVisit(t *testing.T) {
	set := func(name, value string) func(url.Values) {
		return func(v url.Values) { v.Set("openid."+name, value) }
	}
	without := func(list string) func(url.Values) {
		return func(v url.Values) { v.Set("openid.signed", strings.ReplaceAll(v.Get("openid.signed"), list, "")) }
	}
	for name, c := range map[string]struct {
		change func(url.Values)
		kind   error
	}{
		"the player said no": {set("mode", "cancel"), identity.ErrDenied},
		"another mode":       {set("mode", "setup_needed"), identity.ErrForm},
		"another version":    {set("ns", "http://openid.net/signon/1.1"), identity.ErrForm},
		"another provider": {
			set("op_endpoint", "https://steamcommunity.com.evil.example/openid/login"), identity.ErrMixedUp,
		},
		"another site": {set("return_to", "https://evil.example/?state=x"), identity.ErrState},
		"more at the end": {
			func(v url.Values) { v.Set("openid.return_to", v.Get("openid.return_to")+"&a=b") }, identity.ErrState,
		},
		"another player":         {set("identity", claimedPrefix+"76561197960287931"), identity.ErrForm},
		"another host":           {both("https://evil.example/openid/id/" + ada), identity.ErrForm},
		"plain HTTP":             {both("http://steamcommunity.com/openid/id/" + ada), identity.ErrForm},
		"a path behind":          {both(claimedPrefix + ada + "/"), identity.ErrForm},
		"a line behind":          {both(claimedPrefix + ada + "\n"), identity.ErrForm},
		"16 digits":              {both(claimedPrefix + ada[:16]), identity.ErrForm},
		"18 digits":              {both(claimedPrefix + ada + "0"), identity.ErrForm},
		"other digits":           {both(claimedPrefix + "７6561197960287930"), identity.ErrForm},
		"a group":                {both(claimedPrefix + "10358279148200000"), identity.ErrForm},
		"nobody":                 {both(anybody), identity.ErrForm},
		"no signature":           {set("sig", ""), identity.ErrForm},
		"another signature":      {set("sig", "AAAA"), identity.ErrRefused},
		"the player is unsigned": {without(",claimed_id"), identity.ErrForm},
		"the site is unsigned":   {without(",return_to"), identity.ErrForm},
		"the nonce is unsigned":  {without(",response_nonce"), identity.ErrForm},
		"Steam is unsigned":      {without(",op_endpoint"), identity.ErrForm},
		"nothing is signed":      {set("signed", ""), identity.ErrForm},
		"more is signed": {
			func(v url.Values) { v.Set("openid.signed", v.Get("openid.signed")+",mode") }, identity.ErrForm,
		},
		"more than is known":     {set("ext1.mode", "fetch_response"), identity.ErrForm},
		"a field twice":          {func(v url.Values) { v.Add("openid.claimed_id", "x") }, identity.ErrForm},
		"a long value":           {set("sig", strings.Repeat("a", maxValue+1)), identity.ErrForm},
		"no state":               {func(v url.Values) { v.Del("state") }, identity.ErrState},
		"of yesterday":           {set("response_nonce", "2026-11-28T12:00:00Zabc"), identity.ErrExpired},
		"of tomorrow":            {set("response_nonce", "2026-11-30T12:00:00Zabc"), identity.ErrExpired},
		"no time":                {set("response_nonce", "abc"), identity.ErrForm},
		"a time alone":           {set("response_nonce", "2026-11-29T12:00:00Z"), identity.ErrForm},
		"a time that is none":    {set("response_nonce", "2026-13-29T12:00:00Zabc"), identity.ErrForm},
		"a nonce without an end": {set("response_nonce", "2026-11-29T12:00:00Z"+strings.Repeat("a", 236)), identity.ErrForm},
		"a space within":         {set("response_nonce", "2026-11-29T12:00:00Za b"), identity.ErrForm},
	} {
		now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
		s := newStandIn()
		p := newPages(t, s, func() time.Time { return now })
		a, page := p.Begin()
		answer := s.visit(t, page, now)
		c.change(answer)
		if !errors.Is(c.kind, identity.ErrRefused) && answer.Get("openid.sig") != "" && len(answer.Get("openid.sig")) < 100 {
			answer.Set("openid.sig", s.sign(answer))
		}
		_, err := p.Finish(t.Context(), a, answer)
		wantError(t, name, err, identity.Player, c.kind)
		if asked := errors.Is(c.kind, identity.ErrRefused); (s.asked == 1) != asked {
			t.Errorf("%s: Steam was asked %d times", name, s.asked)
		}
	}
}

// both changes the two names of the player.
func both(id string) func(url.Values) {
	return func(v url.Values) {
		v.Set("openid.claimed_id", id)
		v.Set("openid.identity", id)
	}
}

func TestAVisitToSteamIsOfNow(t *testing.T) {
	now := time.Now()
	for off, kind := range map[time.Duration]error{
		-6 * time.Minute: identity.ErrExpired, -4 * time.Minute: nil, 50 * time.Second: nil,
		2 * time.Minute: identity.ErrExpired,
	} {
		s := newStandIn()
		p := newPages(t, s, func() time.Time { return now })
		a, page := p.Begin()
		if _, err := p.Finish(t.Context(), a, s.visit(t, page, now.Add(off))); !errors.Is(err, kind) {
			t.Errorf("off by %v: %v", off, err)
		}
	}
	s := newStandIn()
	later := now
	p := newPages(t, s, func() time.Time { return later })
	a, page := p.Begin()
	later = now.Add(identity.AttemptLife + 2*time.Second)
	_, err := p.Finish(t.Context(), a, s.visit(t, page, later))
	wantError(t, "an attempt of long ago", err, identity.Player, identity.ErrExpired)
}

func TestWhatSteamSaysOfAnAnswer(t *testing.T) {
	for body, kind := range map[string]error{
		"ns:" + namespace + "\nis_valid:true\n":                      nil,
		"is_valid:true\nns:" + namespace + "\ninvalidate_handle:1\n": nil,
		"ns:" + namespace + "\nis_valid:false\n":                     identity.ErrRefused,
		"ns:" + namespace + "\nis_valid:true\nis_valid:true\n":       identity.ErrGarbage,
		"ns:" + namespace + "\nis_valid:true \n":                     identity.ErrGarbage,
		"ns:" + namespace + "\n is_valid:true\n":                     identity.ErrGarbage,
		"is_valid:true\n":                                            identity.ErrGarbage,
		"<html>is_valid:true":                                        identity.ErrGarbage,
		"":                                                           identity.ErrGarbage,
	} {
		s := newStandIn()
		p := newPages(t, s, time.Now)
		a, page := p.Begin()
		answer := s.visit(t, page, time.Now())
		s.reply = func(*http.Request) (int, string) { return 200, body }
		if _, err := p.Finish(t.Context(), a, answer); !errors.Is(err, kind) || kind == nil && err != nil {
			t.Errorf("%q: %v, want %v", body, err, kind)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		for _, status := range []int{0, 302, 404, 503} {
			s := newStandIn()
			p := newPages(t, s, time.Now)
			a, page := p.Begin()
			answer := s.visit(t, page, time.Now())
			s.reply = func(*http.Request) (int, string) { return status, "ns:" + namespace + "\nis_valid:true\n" }
			_, err := p.Finish(t.Context(), a, answer)
			var e *identity.Error
			if !errors.As(err, &e) || e.Whose != identity.Provider {
				t.Errorf("%d: %v", status, err)
			}
		}
	})
}

func TestWhereSteamMayReturnTo(t *testing.T) {
	for at, ok := range map[string]bool{
		back: true, "http://localhost:8080/back": true, "http://127.0.0.1/": true, "http://game.example/": false, "": false,
		"https://game.example/?a": false, "https://game.example/#a": false,
		"https://a@game.example/": false, "game.example": false,
	} {
		_, err := NewPages(at, newStandIn().config(time.Now))
		if (err == nil) != ok || err != nil && !errors.Is(err, ErrPages) {
			t.Errorf("%q: %v", at, err)
		}
	}
}

// FuzzAnswer has no answer of a browser be a proof but that which Steam has signed, and Steam asked for nothing but
// that which looks like one.
func FuzzAnswer(f *testing.F) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	s := newStandIn()
	p := newPages(f, s, func() time.Time { return now })
	a, page := p.Begin()
	good := s.visit(f, page, now)
	f.Add(good.Encode())
	f.Add("openid.mode=cancel&state=" + good.Get("state"))
	f.Add("openid.mode=id_res&openid.mode=id_res")
	f.Fuzz(func(t *testing.T, query string) {
		answer, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		if answer.Get("state") == "" { // which no fuzzer guesses
			answer.Set("state", good.Get("state"))
		}
		for name := range good {
			if !answer.Has(name) && len(query)%2 == 0 {
				answer[name] = good[name]
			}
		}
		clear(s.used)
		if _, err := p.Finish(t.Context(), a, answer); err != nil {
			var e *identity.Error
			if !errors.As(err, &e) {
				t.Fatal(err)
			}
			if !errors.Is(err, identity.ErrUsed) {
				return
			}
		}
		for name := range good {
			if answer.Get(name) != good.Get(name) {
				t.Fatalf("%s is %q in what is taken", name, answer.Get(name))
			}
		}
	})
}

// FuzzVerification has what Steam says of an answer be a yes only if it says so once.
func FuzzVerification(f *testing.F) {
	f.Add([]byte("ns:" + namespace + "\nis_valid:true\n"))
	f.Add([]byte("ns:" + namespace + "\nis_valid:false\ninvalidate_handle:x\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		valid, ok := parseVerification(body)
		lines := make(map[string]int)
		for line := range strings.SplitSeq(string(body), "\n") {
			lines[line]++
		}
		if valid && (!ok || lines["is_valid:true"] != 1 || lines["ns:"+namespace] != 1) {
			t.Fatalf("%q is a yes", body)
		}
	})
}
