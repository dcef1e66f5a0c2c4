package steam

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/internal/identity"
)

func taken(player, owner string, vac, publisher bool) string {
	return fmt.Sprintf(`{"response":{"params":{"result":"OK","steamid":%q,"ownersteamid":%q,`+
		`"vacbanned":%v,"publisherbanned":%v}}}`, player, owner, vac, publisher)
}

func newTickets(tb testing.TB, s *standIn, change ...func(*TicketSettings)) *Tickets {
	tb.Helper()
	settings := TicketSettings{AppID: 480, Key: key, Identity: "game"}
	for _, c := range change {
		c(&settings)
	}
	tickets, err := NewTickets(settings, s.config(time.Now))
	if err != nil {
		tb.Fatal(err)
	}
	return tickets
}

func TestATicketSaysWhoThePlayerIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStandIn()
		tickets := newTickets(t, s)
		const other = "76561197960287931"
		for ticket, want := range map[string]Player{
			"14aa": {Identity: identity.Identity{Issuer: Issuer, Subject: ada}, Owner: ada},
			"14bb": {Identity: identity.Identity{Issuer: Issuer, Subject: ada}, Owner: other, VACBanned: true},
			"14cc": {Identity: identity.Identity{Issuer: Issuer, Subject: other}, Owner: other, PublisherBanned: true},
		} {
			s.tickets[ticket] = taken(want.Subject, want.Owner, want.VACBanned, want.PublisherBanned)
			if got, err := tickets.Check(t.Context(), strings.ToUpper(ticket)); err != nil || got != want {
				t.Errorf("%+v, %v, want %+v", got, err, want)
			}
			_, err := tickets.Check(t.Context(), ticket)
			wantError(t, "a second time", err, identity.Player, identity.ErrUsed, ticket)
		}
	})
}

func TestTicketsThatAreNotGood(t *testing.T) {
	good := taken(ada, ada, false, false)
	says := func(status int, body string) func(*http.Request) (int, string) {
		return func(*http.Request) (int, string) { return status, body }
	}
	for name, c := range map[string]struct {
		ticket string
		change func(*TicketSettings)
		reply  func(*http.Request) (int, string)
		whose  identity.Whose
		kind   error
	}{
		"an unknown one":     {ticket: "14bb", kind: identity.ErrRefused},
		"for another server": {change: func(s *TicketSettings) { s.Identity = "x" }, kind: identity.ErrRefused},
		"for another game":   {change: func(s *TicketSettings) { s.AppID = 7 }, kind: identity.ErrAudience},
		"no hex":             {ticket: "14zz", kind: identity.ErrForm},
		"nothing":            {ticket: "", kind: identity.ErrForm},
		"too much":           {ticket: strings.Repeat("14", maxTicket+1), kind: identity.ErrForm},
		"no ticket to Steam": {reply: says(200, refusal(3, "Invalid parameter")), kind: identity.ErrForm},
		"another key": {
			change: func(s *TicketSettings) { s.Key = "x" }, whose: identity.Node, kind: identity.ErrConfig,
		},
		"Steam is away":    {reply: says(503, ""), whose: identity.Provider, kind: identity.ErrAway},
		"it hangs":         {reply: says(0, ""), whose: identity.Provider, kind: identity.ErrAway},
		"too many":         {reply: says(429, ""), whose: identity.Provider, kind: identity.ErrAway},
		"another page":     {reply: says(200, "<html>"), whose: identity.Provider, kind: identity.ErrGarbage},
		"nothing in it":    {reply: says(200, "{}"), whose: identity.Provider, kind: identity.ErrGarbage},
		"an unknown error": {reply: says(200, refusal(7, ada)), whose: identity.Provider, kind: identity.ErrGarbage},
		"another result": {
			reply: says(200, strings.Replace(good, "OK", "NO", 1)), whose: identity.Provider, kind: identity.ErrGarbage,
		},
		"a short id": {
			reply: says(200, taken("7656119796028793", ada, false, false)), whose: identity.Provider, kind: identity.ErrGarbage,
		},
		"a group": {
			reply: says(200, taken("10358279148200000", ada, false, false)), whose: identity.Provider, kind: identity.ErrGarbage,
		},
		"no owner": {
			reply: says(200, taken(ada, "", false, false)), whose: identity.Provider, kind: identity.ErrGarbage,
		},
		"a number": {
			reply: says(200, strings.ReplaceAll(good, `"`+ada+`"`, ada)), whose: identity.Provider, kind: identity.ErrGarbage,
		},
		"no word of bans": {
			reply: says(200, strings.ReplaceAll(good, "vacbanned", "x")), whose: identity.Provider, kind: identity.ErrGarbage,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStandIn()
				s.tickets["14aa"], s.reply = good, c.reply
				ticket := c.ticket
				if ticket == "" && name != "nothing" {
					ticket = "14aa"
				}
				if c.change == nil {
					c.change = func(*TicketSettings) {}
				}
				_, err := newTickets(t, s, c.change).Check(t.Context(), ticket)
				wantError(t, name, err, c.whose, c.kind, "14aa")
			})
		})
	}
}

func TestSettingsOfTicketsThatAreRefused(t *testing.T) {
	for _, s := range []TicketSettings{
		{Key: key, Identity: "game"}, {AppID: 1, Identity: "game"}, {AppID: 1, Key: key},
		{AppID: 1, Key: "a\r\nb", Identity: "game"},
		{AppID: 1, Key: key, Identity: "a b"}, {AppID: 1, Key: key, Identity: strings.Repeat("a", 129)},
	} {
		_, err := NewTickets(s, Config{})
		if !errors.Is(err, ErrTickets) || strings.Contains(fmt.Sprintf("%v %+v", err, s), key) {
			t.Errorf("%+v: %v", s, err)
		}
	}
}

// FuzzTicketAnswer has what Steam answers be a player, or an error without one.
func FuzzTicketAnswer(f *testing.F) {
	f.Add([]byte(taken(ada, ada, true, false)))
	f.Add([]byte(refusal(101, "Invalid ticket")))
	f.Add([]byte(`{"response":{"params":null,"error":{}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := parseTicketAnswer(body)
		if err != nil {
			if p != (Player{}) || len(err.Error()) > 200 {
				t.Fatal(p, err)
			}
			return
		}
		if len(p.Subject) != 17 || len(p.Owner) != 17 || p.Issuer != Issuer || p.Name != "" || p.Email != "" {
			t.Fatalf("%+v", p)
		}
	})
}
