package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
)

// A player with 1000 others before them is let in when their turn has come: two tries, some documents, and a bar that
// moves one way.
func TestAPlaceInTheLineIsWaitedForWithOneMoreTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startLine(t, 200*time.Second, 5)
		c, told := s.client(Options{MaxRetries: 1})
		begun := time.Now()
		if _, err := c.Login(t.Context(), "alice", alicesKey); err != nil {
			t.Fatal(err)
		}
		took := time.Since(begun)
		if took < 200*time.Second || took > 202*time.Second {
			t.Errorf("let in after %v, and the turn was after 200 s", took)
		}
		if len(s.tries) != 2 || len(s.documents) > 8 || s.tries[0].ticket != "" || s.tries[1].ticket == "" {
			t.Errorf("%d documents and the tries %+v", len(s.documents), s.tries)
		}
		s.forOneWait(leastPoll)
		first, last := (*told)[0], (*told)[len(*told)-1]
		if first.String() != "You are number 1,001 in line: about 2 to 5 minutes." || first.Retry != 0 {
			t.Errorf("told %q first", first)
		}
		if !strings.HasPrefix(last.String(), "You are number ") && last.String() != "It is your turn." {
			t.Errorf("told %q last", last)
		}
		bar, place := 0.0, 1002
		for _, w := range *told {
			l := *w.Line
			if p := l.Progress(l.At); p < bar || p > 1 || l.Place > place || l.ByUDP || l.Ticket.IsZero() {
				t.Errorf("progress %.2f after %.2f, place %d after %d", p, bar, l.Place, place)
			}
			bar, place = l.Progress(l.At.Add(w.Delay)), l.Place
			if !l.Since.Equal(begun) {
				t.Errorf("since %v, and it was %v", l.Since, begun)
			}
		}
		if bar < 0.9 {
			t.Errorf("the bar was at %.2f in the end", bar)
		}
	})
}

// A place that is used up is not shown again.
func TestNoTicketWithoutALine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startLine(t, 0, 5)
		c, told := s.client(Options{})
		for range 2 {
			if _, err := c.Login(t.Context(), "alice", alicesKey); err != nil {
				t.Fatal(err)
			}
		}
		s.set(func() { s.wait = 20 * time.Second })
		if _, err := c.Takeover(t.Context(), "alice", alicesKey); err != nil {
			t.Fatal(err)
		}
		s.set(func() { s.wait = 0 })
		if _, err := c.Register(t.Context(), "bob", alicesKey); err != nil {
			t.Fatal(err)
		}
		secrets := map[string]bool{}
		for i, try := range s.tries {
			secrets[try.secret] = true
			if (try.ticket != "") != (i == 3) {
				t.Errorf("try %d: %+v", i, try)
			}
		}
		if len(s.tries) != 5 || len(secrets) != 4 || len(*told) == 0 {
			t.Errorf("%d tries with %d secrets", len(s.tries), len(secrets))
		}
	})
}

// However a call ends but by being let in, the next one of the client shows the ticket.
func TestAPlaceOutlivesTheCall(t *testing.T) {
	says := func(status int, body string) func(*http.Request) (*http.Response, error) {
		return func(*http.Request) (*http.Response, error) { return answerOf(status, body) }
	}
	for name, login := range map[string]func(*http.Request) (*http.Response, error){
		"wrong password":  says(401, `{"reason":"bad-credentials"}`),
		"name taken":      says(409, `{"reason":"username-taken"}`),
		"disabled":        says(403, `{"reason":"account-disabled"}`),
		"too many":        says(429, `{"reason":"rate-limited","retry_after_ms":1000}`),
		"internal":        says(500, `{"reason":"internal-error"}`),
		"maintenance":     says(503, `{"reason":"server-busy","retry_after_ms":3600000}`),
		"newer":           says(418, `{"reason":"no-tea-here"}`),
		"nonsense":        says(200, `<html>`),
		"lost for longer": func(*http.Request) (*http.Response, error) { return nil, errNetwork },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := startLine(t, time.Minute, 5)
				c, _ := s.client(Options{})
				s.login = func(r *http.Request) (*http.Response, error) {
					if len(s.tries) > 1 {
						return login(r)
					}
					return nil, nil
				}
				if _, err := c.Login(t.Context(), "alice", alicesKey); err == nil {
					t.Fatal("let in")
				}
				shown := s.tries[1].ticket
				s.set(func() { s.login = nil })
				for _, ticket := range s.holds {
					ticket.turn = time.Now() // if it took more than the grace
				}
				tries := len(s.tries)
				if _, err := c.Register(t.Context(), "alice2", alicesKey); err != nil {
					t.Fatal(err)
				}
				if last := s.tries[tries]; shown == "" || last.ticket != shown || last.secret != s.tries[0].secret ||
					last.attempt == s.tries[0].attempt || len(s.tries) != tries+1 {
					t.Errorf("the next call showed %+v, of %q", last, shown)
				}
				if _, err := c.Login(t.Context(), "bob", alicesKey); !errors.Is(err, nil) || s.tries[tries+1].ticket != "" {
					t.Errorf("%v, and a ticket that was used up is shown again: %+v", err, s.tries[tries+1])
				}
			})
		})
	}
}

// To leave the line is to end the context; the place is there for those who come back, in this program or the next.
func TestLeavingTheLineAndComingBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startLine(t, 5*time.Minute, 5)
		c, told := s.client(Options{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begun := time.Now()
		_, err := c.Login(ctx, "alice", alicesKey)
		took := time.Since(begun)
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, rushgate.ServerBusy) || took != time.Minute {
			t.Fatalf("%v after %v", err, took)
		}
		r, ok := errors.AsType[*rushgate.Refusal](err)
		if !ok || r.Place.Number != 1501 || r.Place.Ticket != "" {
			t.Errorf("%+v", r)
		}
		kept, err := ParseTicket((*told)[len(*told)-1].Line.Ticket.Text())
		if err != nil {
			t.Fatal(err)
		}
		c, _ = s.client(Options{Ticket: kept}) // the game was started again
		if _, err := c.Login(t.Context(), "alice", alicesKey); err != nil {
			t.Fatal(err)
		}
		if took = time.Since(begun); took < 5*time.Minute || took > 302*time.Second {
			t.Errorf("let in after %v", took)
		}
		if got := s.tickets(); len(got) != 2 || len(s.tries) != 3 || s.tries[2].secret != s.tries[0].secret {
			t.Errorf("tries %+v", s.tries)
		}
	})
}

// Without retries there is one try, which tells of the place, and each call shows it.
func TestOneTryTellsOfThePlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startLine(t, time.Minute, 5)
		c, told := s.client(Options{MaxRetries: -1, KnockAddr: lineAddr.String()})
		for i := range 3 {
			_, err := c.Login(t.Context(), "alice", alicesKey)
			busy, ok := errors.AsType[*BusyError](err)
			if !ok || busy.Last.Place.Number != 301-i*100 || busy.Tries != 1 {
				t.Errorf("%#v", err)
			}
			secret := s.tries[len(s.tries)-1].secret
			if text := fmt.Sprintf("%+v %#v %+v", err, busy, *busy.Last); strings.Contains(text, secret) {
				t.Errorf("shows a secret: %s", text)
			}
			time.Sleep(20 * time.Second)
		}
		if _, err := c.Login(t.Context(), "alice", alicesKey); err != nil || len(s.tries) != 4 || len(s.tickets()) != 2 {
			t.Errorf("%v after %+v", err, s.tries)
		}
		if len(*told) != 0 || len(s.knocks) != 0 || len(s.documents) != 0 {
			t.Errorf("told %v, %d knocks, %d documents", *told, len(s.knocks), len(s.documents))
		}
	})
}

// The network is gone for a while, in the middle of the wait or when the turn comes: the place is kept, and the game is
// told so.
func TestAPlaceOutlivesTheNetwork(t *testing.T) {
	for name, gone := range map[string][2]time.Duration{
		"while waiting":       {30 * time.Second, 80 * time.Second},
		"when the turn comes": {80 * time.Second, 3 * time.Minute},
		"for most of it":      {2 * time.Second, 8 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := startLine(t, 100*time.Second, 5)
				c, told := s.client(Options{})
				begun := time.Now()
				fails := func(*http.Request) (*http.Response, error) {
					if at := time.Since(begun); at >= gone[0] && at < gone[1] {
						return nil, errNetwork
					}
					return nil, nil
				}
				s.login, s.document = fails, fails
				if _, err := c.Login(t.Context(), "alice", alicesKey); err != nil {
					t.Fatal(err)
				}
				due := max(100*time.Second, gone[1])
				if took := time.Since(begun); took < due || took > due+DefaultBackoffCap+time.Second {
					t.Errorf("let in after %v, and it was possible after %v", took, due)
				}
				if got := s.tickets(); len(got) != 2 {
					t.Errorf("showed %q", got)
				}
				s.forOneWait(0)
				kept := 0
				for _, w := range *told {
					if w.Reason == "" {
						kept++
						if s := w.String(); !strings.HasPrefix(s, "No answer from the server, retrying in ") ||
							!strings.HasSuffix(s, " s. Your place in line is kept.") || w.Line == nil || w.MaxRetries != 0 {
							t.Errorf("told %q, %+v", s, w)
						}
					}
				}
				if kept == 0 {
					t.Error("the game was not told that the network was gone")
				}
			})
		})
	}
}

// A server that is gone for good is given up when the place is lost in any case.
func TestAServerThatIsGoneIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startLine(t, 10*time.Second, 5)
		c, _ := s.client(Options{})
		fails := func(*http.Request) (*http.Response, error) {
			if len(s.tries) > 1 {
				return nil, errNetwork
			}
			return nil, nil
		}
		s.login, s.document = fails, fails
		begun := time.Now()
		_, err := c.Login(t.Context(), "alice", alicesKey)
		if took := time.Since(begun); !errors.Is(err, ErrNoAnswer) || took < placeGrace || took > placeGrace+time.Minute {
			t.Errorf("%v after %v", err, took)
		}
		if len(s.tries) > 60 {
			t.Errorf("%d tries", len(s.tries))
		}
	})
}

// A place that the server does not honour is told as lost, once, and the new one waited for.
func TestAPlaceThatIsLostIsTold(t *testing.T) {
	for lost, change := range map[string]func(*lineServer){
		"unknown": func(s *lineServer) { clear(s.holds) },
		"used": func(s *lineServer) {
			for _, t := range s.holds {
				t.used = true
			}
		},
		"expired": func(s *lineServer) {
			for _, t := range s.holds {
				t.turn = time.Now().Add(-time.Hour)
			}
		},
	} {
		t.Run(lost, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := startLine(t, time.Minute, 5)
				c, told := s.client(Options{})
				time.AfterFunc(30*time.Second, func() { s.set(func() { change(s) }) })
				begun := time.Now()
				if _, err := c.Login(t.Context(), "alice", alicesKey); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(begun); took < 2*time.Minute || took > 124*time.Second {
					t.Errorf("let in after %v", took)
				}
				said := 0
				for _, w := range *told {
					if w.Line.Lost == "" {
						continue
					}
					said++
					want := "Your place in line was lost. You are number 301 in line: up to 2 minutes."
					if w.Line.Lost != lost || w.String() != want || w.Line.Progress(w.Line.At) != 0 {
						t.Errorf("told %q: %+v", w, w.Line)
					}
				}
				if said != 1 || len(s.tries) != 3 || len(s.tickets()) != 3 {
					t.Errorf("told %d times, tries %+v", said, s.tries)
				}
			})
		})
	}
}

// A program that wants no line is served as if there were none.
func TestNoLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startLine(t, time.Minute, 5)
		s.udp = []string{lineAddr.String()}
		c, told := s.client(Options{NoLine: true, MaxRetries: 2, KnockAddr: lineAddr.String()})
		_, err := c.Login(t.Context(), "alice", alicesKey)
		busy, ok := errors.AsType[*BusyError](err)
		if !ok || len(s.tries) != 3 || busy.Last.Place.Number != 0 || len(s.documents)+len(s.knocks) != 0 {
			t.Errorf("%v after %+v, %d documents, %d knocks", err, s.tries, len(s.documents), len(s.knocks))
		}
		for i, try := range s.tries {
			if try.secret != "" || try.ticket != "" {
				t.Errorf("try %d: %+v", i, try)
			}
		}
		for i, w := range *told {
			if w.Line != nil || w.Retry != i+1 {
				t.Errorf("told %q", w)
			}
		}
	})
}

// A server of before there was a line is spoken to as before.
func TestAServerThatKnowsNoLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startLine(t, 0, 5)
		s.login = func(*http.Request) (*http.Response, error) {
			if s.tries[len(s.tries)-1].secret == "" {
				return nil, nil
			}
			return answerOf(400, `{"reason":"missing-credentials",
				"message":"The body has a field other than username, password, attempt_id, takeover."}`)
		}
		c, _ := s.client(Options{MaxRetries: -1})
		if _, err := c.Login(t.Context(), "alice", alicesKey); err != nil || len(s.tries) != 2 {
			t.Errorf("%v after %d tries", err, len(s.tries))
		}
		for _, message := range []string{
			"", "The field password must be a string.",
			"The body has a field other than username, password, attempt_id, takeover, line_secret, ticket.",
		} {
			s.tries = nil
			s.login = func(*http.Request) (*http.Response, error) {
				return answerOf(400, map[string]string{"reason": "missing-credentials", "message": message})
			}
			if _, err := c.Login(t.Context(), "alice", alicesKey); !errors.Is(err, rushgate.MissingCredentials) ||
				len(s.tries) != 1 {
				t.Errorf("%q: %v after %d tries", message, err, len(s.tries))
			}
		}
	})
}

// Whatever the document says or does not, the client comes when it may be its turn, and not much more often.
func TestDocumentsThatAreOfNoUse(t *testing.T) {
	says := func(status int, body string) func(*http.Request) (*http.Response, error) {
		return func(*http.Request) (*http.Response, error) { return answerOf(status, body) }
	}
	const wait = 100 * time.Second
	for name, tt := range map[string]struct {
		document func(*http.Request) (*http.Response, error)
		within   time.Duration
		tries    int
	}{
		"none":               {says(404, "not found"), 130 * time.Second, 12},
		"nonsense":           {says(200, "<html>"), 130 * time.Second, 12},
		"empty":              {says(200, `{}`), wait*13/10 + 20*time.Second, 3},
		"always busy":        {says(503, `{"reason":"server-busy","retry_after_ms":1000}`), 120 * time.Second, 10},
		"always rate-limits": {says(429, `{"reason":"rate-limited","retry_after_ms":1000}`), 120 * time.Second, 10},
		// of the first second, for ever
		"an old one": {says(200, `{"now_ms":946684800000,"serving_ms":946684800000,"pace_per_s":5,"waiting":500,
			"marks":[{"turn_ms":946684800000,"before":0},{"turn_ms":946684901000,"before":500}],"poll_factor":0.2}`),
			wait*13/10 + 20*time.Second, 3},
		"without a pace": {says(200, `{"now_ms":946684800000,"serving_ms":946684800000,
			"marks":[{"turn_ms":946684800000,"before":0}]}`), wait*13/10 + 20*time.Second, 3},
		"all may come": {says(200, `{"serving_ms":9000000000000,"pace_per_s":5}`), 120 * time.Second, 12},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := startLine(t, wait, 5)
				s.document = tt.document
				c, _ := s.client(Options{})
				begun := time.Now()
				if _, err := c.Login(t.Context(), "alice", alicesKey); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(begun); took < wait || took > tt.within || len(s.tries) > tt.tries {
					t.Errorf("let in after %v and %d tries", took, len(s.tries))
				}
				s.forOneWait(leastPoll)
			})
		})
	}
}

// The clock of the line is set by hours, or that of the player's machine: nobody loses a place, or asks more often.
func TestClocksThatAreSet(t *testing.T) {
	for _, by := range []time.Duration{time.Hour, -time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			s := startLine(t, 100*time.Second, 5)
			c, _ := s.client(Options{})
			begun := time.Now()
			c.timeOfDay = func() time.Time {
				now := time.Now().Round(0)
				if time.Since(begun) > 20*time.Second {
					now = now.Add(by)
				}
				return now
			}
			if _, err := c.Login(t.Context(), "alice", alicesKey); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(begun); took < 100*time.Second || took > 103*time.Second || len(s.tries) != 2 ||
				len(s.documents) > 8 {
				t.Errorf("the player's clock set by %v: let in after %v, %d tries, %d documents", by, took, len(s.tries),
					len(s.documents))
			}
		})
	}
}

// A machine that sleeps through its turn asks when it wakes.
func TestAfterASleepTheClientAsksAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startLine(t, time.Hour, 5)
		c, _ := s.client(Options{})
		begun := time.Now()
		slept := func() bool { return time.Since(begun) > time.Minute }
		c.timeOfDay = func() time.Time {
			now := time.Now().Round(0)
			if slept() {
				now = now.Add(59 * time.Minute)
			}
			return now
		}
		time.AfterFunc(time.Minute, func() { s.set(func() { s.moved = 59 * time.Minute }) })
		if _, err := c.Login(t.Context(), "alice", alicesKey); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took < time.Minute || took > 75*time.Second {
			t.Errorf("let in %v after it woke", took-time.Minute)
		}
	})
}

// A server that never lets in is waited for until the context ends, and is not flooded.
func TestALineThatNeverMovesIsBoundedByTheContextAlone(t *testing.T) {
	for name, poll := range map[string]int{"asks for one second": 1000, "for none": 0, "for a minute": 60000} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := startLine(t, time.Minute, 5)
				s.login = func(*http.Request) (*http.Response, error) {
					return answerOf(503, map[string]any{"reason": "server-busy", "place": 1, "poll_after_ms": poll, "ticket": "t"})
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				c, _ := s.client(Options{})
				_, err := c.Login(ctx, "alice", alicesKey)
				if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, rushgate.ServerBusy) {
					t.Error(err)
				}
				if most := 3600*1000/max(poll, 1000) + 1; len(s.tries) > most || len(s.tries) < most/2 {
					t.Errorf("%d tries in an hour", len(s.tries))
				}
				s.forOneWait(leastPoll)
			})
		})
	}
}

func TestTicketIsNeverShown(t *testing.T) {
	p := place{secret: "secret-of-22-characters", ticket: "the-ticket", heard: "heard"}
	ticket := ticketOf(p)
	w := Wait{Line: &Line{Ticket: ticket}}
	marshalled, err := json.Marshal(w)
	if err != nil {
		t.Error(err)
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "ticket", ticket, "line", *w.Line)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "ticket", ticket, "line", *w.Line)
	all := fmt.Sprintf("%v %+v %#v %s %q %v %+v %#v %+v", ticket, ticket, ticket, ticket, ticket, *w.Line, *w.Line,
		*w.Line, struct{ t Ticket }{ticket}) + string(marshalled) + log.String()
	for _, secret := range []string{"secret-of-22", "the-ticket", "heard"} {
		if strings.Contains(all, secret) {
			t.Errorf("%q is in %s", secret, all)
		}
	}
	if again, err := ParseTicket(ticket.Text()); err != nil || again.Text() != ticket.Text() || again.hold() != p {
		t.Errorf("%v, %v", again, err)
	}
	if none, err := ParseTicket(""); err != nil || !none.IsZero() || none.Text() != "" || none.String() != "no ticket" {
		t.Errorf("%v, %v", none, err)
	}
}

func FuzzParseTicket(f *testing.F) {
	for _, s := range []string{
		"", "rgt1.secret-of-22-characters.the-ticket.heard", "rgt1.secret-of-22-characters.the-ticket.", "rgt2.a.b.c",
		"rgt1.secret-of-22-characters..", "rgt1.short.t.", "rgt1.secret-of-22-characters." + strings.Repeat("x", 129) + ".",
		"rgt1.secret-of-22-characters.a b.", strings.Repeat(".", 2000),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ticket, err := ParseTicket(s)
		switch {
		case err != nil:
			if !errors.Is(err, ErrNotTicket) || !ticket.IsZero() {
				t.Errorf("%q: %v, %v", s, ticket, err)
			}
		case ticket.Text() != s || len(s) > 400:
			t.Errorf("%q is read as %q", s, ticket.Text())
		}
	})
}

func TestSentencesForThePlayer(t *testing.T) {
	for _, tt := range []struct {
		line Line
		want string
	}{
		{Line{Come: true}, "It is your turn."},
		{Line{}, "You are in line."},
		{Line{Place: 1, High: 5 * time.Second}, "You are number 1 in line: less than a minute."},
		{Line{Place: 999, Low: 50 * time.Second, High: 90 * time.Second}, "You are number 999 in line: up to 2 minutes."},
		{Line{Place: 1234, Low: 3 * time.Minute, High: 5 * time.Minute},
			"You are number 1,234 in line: about 3 to 5 minutes."},
		{Line{Place: 1234567, Low: time.Hour, High: 3*time.Hour + 1},
			"You are number 1,234,567 in line: about 1 to 4 hours."},
		{Line{Low: 60 * time.Minute, High: 99 * time.Minute}, "You are in line: about 60 to 99 minutes."},
		{Line{Low: 60 * time.Hour, High: 90 * time.Hour}, "You are in line: more than two days."},
		{Line{Place: 7, Lost: "used"}, "Your place in line was lost. You are number 7 in line."},
	} {
		if got := tt.line.String(); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.line, got, tt.want)
		}
	}
	for _, tt := range []struct {
		wait Wait
		want string
	}{
		{Wait{Reason: rushgate.ServerBusy, Delay: 1500 * time.Millisecond}, "Server is busy, retrying in 2 s"},
		{Wait{Delay: time.Second, Retry: 1, MaxRetries: 3}, "No answer from the server, retrying in 1 s (1 of 3)"},
		{Wait{Delay: time.Second, Retry: 7, Line: &Line{Place: 2}, kept: true},
			"No answer from the server, retrying in 1 s. Your place in line is kept."},
		{Wait{Reason: rushgate.ServerBusy, Delay: time.Second, Line: &Line{Place: 2}}, "You are number 2 in line."},
	} {
		if got := tt.wait.String(); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.wait, got, tt.want)
		}
	}
}

var now = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

func TestProgress(t *testing.T) {
	l := Line{Since: now, At: now, Low: time.Minute, High: 3 * time.Minute}
	for after, want := range map[time.Duration]float64{
		-time.Hour: 0, 0: 0, time.Minute: 0.5, 2 * time.Minute: 0.99, time.Hour: 0.99,
	} {
		if got := l.Progress(now.Add(after)); got != want {
			t.Errorf("after %v: %v, want %v", after, got, want)
		}
	}
	l.At, l.progress = now.Add(time.Minute), 0.5 // and as much before it as in the beginning
	if got := l.Progress(l.At); got != 0.5 {
		t.Errorf("the bar goes back to %v", got)
	}
	if got := (Line{}).Progress(now); got != 0 {
		t.Errorf("of nothing that is known: %v", got)
	}
	if got := (Line{Come: true}).Progress(now); got != 1 {
		t.Errorf("when the turn has come: %v", got)
	}
}

// FuzzLine looks for refusals and documents that crash the client, or have it believe what cannot be or ask too often.
func FuzzLine(f *testing.F) {
	place := `"place":7,"eta_low_ms":1000,"eta_high_ms":9000,"poll_after_ms":500,"turn_ms":1795000000000,"ticket":"t"`
	for _, s := range []string{
		`{` + place + `,"place_lost":"used"}`, `{` + place + `}`, `{}`, `{"place":9223372036854775807}`,
		`{"marks":[{"before":9223372036854775807}]}`, `{"pace_per_s":10,"opens_ms":10000000000000}`,
		`{"place":1,"eta_low_ms":9223372036854775807,"poll_after_ms":-1,"ticket":"not one"}`,
		`{"now_ms":1795000000000,"serving_ms":1795000000000,"pace_per_s":5,"waiting":9,"poll_factor":0.2,"opens_ms":9,
			"marks":[{"turn_ms":1795000000000,"before":0},{"turn_ms":1795000009000,"before":40}],"udp":["a:1"]}`,
		`{"pace_per_s":1e-300,"opens_ms":9223372036854775807,"marks":[{"turn_ms":-9223372036854775808,"before":-5},
			{"turn_ms":9223372036854775807,"before":9223372036854775807}],"poll_factor":-1e300}`,
	} {
		f.Add([]byte(s), int64(1_795_000_005_000), 0.5)
	}
	f.Fuzz(func(t *testing.T, body []byte, turn int64, chance float64) {
		p := placeIn(body, time.Second)
		if p != (rushgate.Place{}) && (p.Number < 1 || p.Low < 0 || p.High < p.Low || p.High > maxETA ||
			p.PollAfter < 0 || p.PollAfter > mostPoll || len(p.Ticket) > maxTicket) {
			t.Errorf("place %+v", p)
		}
		var d document
		if json.Unmarshal(body, &d) != nil {
			return
		}
		a := read(d.Document, time.UnixMilli(turn), chance)
		if a.waits == a.come || a.low < 0 || a.high < a.low || a.place < 0 || a.waits && a.after < leastPoll {
			t.Errorf("%s is read as %+v", body, a)
		}
		_ = Line{Place: a.place, Low: a.low, High: a.high, Come: a.come}.String()
	})
}
