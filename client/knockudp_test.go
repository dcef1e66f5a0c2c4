package client

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/memnet"
	"github.com/rushgate/rushgate/internal/udpknock"
)

// Where the address is known, the first try is made when the turn has come: one request over HTTP for a whole wait.
func TestKnockingByUDPSparesAllTriesButOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startLine(t, 200*time.Second, 5)
		c, told := s.client(Options{KnockAddr: lineAddr.String()})
		begun := time.Now()
		if _, err := c.Login(t.Context(), "alice", alicesKey); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took < 200*time.Second || took > 203*time.Second {
			t.Errorf("let in after %v", took)
		}
		if len(s.tries) != 1 || s.tries[0].ticket == "" || len(s.documents) != 0 || len(s.knocks) > 12 {
			t.Errorf("%d knocks, %d documents, tries %+v", len(s.knocks), len(s.documents), s.tries)
		}
		first, last := (*told)[0], (*told)[len(*told)-1]
		if first.String() != "You are number 1,001 in line: about 2 to 5 minutes." || last.String() != "It is your turn." {
			t.Errorf("told %q, and %q in the end", first, last)
		}
		for _, w := range *told {
			if !w.Line.ByUDP || w.Line.Ticket.IsZero() {
				t.Errorf("%+v", w.Line)
			}
		}
	})
}

// Who need not wait is told nothing of a line.
func TestKnockingWhereThereIsNoLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startLine(t, 0, 5)
		c, told := s.client(Options{KnockAddr: lineAddr.String()})
		begun := time.Now()
		_, err := c.Login(t.Context(), "alice", alicesKey)
		if took := time.Since(begun); err != nil || took > 100*time.Millisecond || len(s.tries) != 1 || len(*told) != 0 {
			t.Errorf("%v after %v, %d tries, told %v", err, took, len(s.tries), *told)
		}
	})
}

// A client that does not know the address learns it from the first document, and has it for the next call.
func TestTheAddressForKnocksIsLearned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startLine(t, 200*time.Second, 5)
		s.udp = []string{"no port", "10.0.0.9:1", lineAddr.String()}
		c, _ := s.client(Options{})
		for i := range 2 {
			if _, err := c.Login(t.Context(), "alice", alicesKey); err != nil {
				t.Fatal(err)
			}
			if len(s.tries) != 2+i || len(s.documents) != 1 || len(s.knocks) == 0 {
				t.Errorf("call %d: %d tries, %d documents, %d knocks", i, len(s.tries), len(s.documents), len(s.knocks))
			}
		}
		c, _ = s.client(Options{KnockAddr: NoKnocks})
		s.knocks = nil
		if _, err := c.Login(t.Context(), "alice", alicesKey); err != nil || len(s.knocks) != 0 {
			t.Errorf("%v, %d knocks of a client that is to make none", err, len(s.knocks))
		}
	})
}

// Without an answer by UDP, from the first or from the middle of the wait on, all goes on over HTTP.
func TestWithoutUDPTheClientAsksOverHTTP(t *testing.T) {
	for name, from := range map[string]time.Duration{"from the first": 0, "from the middle": time.Minute} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := startLine(t, 200*time.Second, 5)
				s.udp = []string{lineAddr.String()}
				time.AfterFunc(from, func() { s.network.SetOptions(memnet.Options{Loss: 1}) })
				c, _ := s.client(Options{KnockAddr: lineAddr.String()})
				begun := time.Now()
				if _, err := c.Login(t.Context(), "alice", alicesKey); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(begun); took < 200*time.Second || took > 206*time.Second {
					t.Errorf("let in after %v", took)
				}
				if len(s.tries) > 2 || len(s.tickets()) > 2 || len(s.documents) == 0 || len(s.documents) > 8 {
					t.Errorf("%d documents, tries %+v", len(s.documents), s.tries)
				}
			})
		})
	}
}

// What a machine on the way can do with forged answers is little: it delays by a known time, has a client make some
// tries more, and takes no place away.
func TestForgedAnswers(t *testing.T) {
	type reply = udpknock.Reply
	forged := []byte("a ticket that is none")
	const forever = time.Duration(1<<32-1) * time.Millisecond
	for name, tt := range map[string]struct {
		say    func(holder udpknock.Holder, ticket []byte, r reply) reply
		latest time.Duration // for a wait of 300 s
		tries  int
	}{
		"wait for ever": {func(udpknock.Holder, []byte, reply) reply {
			return reply{
				Verdict: udpknock.Wait, Place: 1 << 31, ETALow: forever, ETAHigh: forever, After: forever, Ticket: forged,
			}
		}, mostTrust + 300*time.Second + 20*time.Second, 4},
		"wait for ever, for nothing": {func(udpknock.Holder, []byte, reply) reply {
			return reply{Verdict: udpknock.Wait, ETALow: forever, ETAHigh: forever, After: forever}
		}, 303 * time.Second, 2},
		"wait for ever, a second each": {func(udpknock.Holder, []byte, reply) reply {
			return reply{Verdict: udpknock.Wait, Place: 1, ETAHigh: time.Second, After: 0, Ticket: forged}
		}, 320 * time.Second, 4},
		"come in": {func(udpknock.Holder, []byte, reply) reply {
			return reply{Verdict: udpknock.ComeIn}
		}, 303 * time.Second, 4},
		"come in, with a forged ticket": {func(udpknock.Holder, []byte, reply) reply {
			return reply{Verdict: udpknock.ComeIn, Ticket: forged}
		}, 303 * time.Second, 4},
		"refused": {func(udpknock.Holder, []byte, reply) reply {
			return reply{Verdict: udpknock.Refused, After: forever}
		}, 490 * time.Second, 10},
		"a forged ticket": {func(_ udpknock.Holder, _ []byte, r reply) reply {
			r.Ticket = forged
			return r
		}, 720 * time.Second, 5},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := startLine(t, 300*time.Second, 5)
				s.knocked = tt.say
				c, _ := s.client(Options{KnockAddr: lineAddr.String()})
				begun := time.Now()
				if _, err := c.Login(t.Context(), "alice", alicesKey); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(begun); took > tt.latest || len(s.tries) > tt.tries {
					t.Errorf("let in after %v and %d tries: %+v", took, len(s.tries), s.tries)
				}
				if len(s.knocks) > 700 {
					t.Errorf("%d knocks", len(s.knocks))
				}
				s.forOneWait(leastPoll)
			})
		})
	}
}

// A forged ticket, and one that the server itself gave in exchange for it, take the place of none that HTTP has given.
func TestATicketOfHTTPIsKeptBesideOneByUDP(t *testing.T) {
	for _, replaced := range []string{"forged", "given again by the server"} {
		t.Run(replaced, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := startLine(t, 300*time.Second, 5)
				s.udp = []string{lineAddr.String()}
				s.knocked = func(holder udpknock.Holder, _ []byte, r udpknock.Reply) udpknock.Reply {
					if r.Ticket = []byte("a ticket that is none"); replaced != "forged" {
						text, _ := s.give(holder)
						r.Ticket, _ = base64.RawURLEncoding.DecodeString(text)
					}
					return r
				}
				c, told := s.client(Options{})
				begun := time.Now()
				if _, err := c.Login(t.Context(), "alice", alicesKey); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(begun); took < 300*time.Second || took > 303*time.Second {
					t.Errorf("let in after %v", took)
				}
				if got := s.tickets(); len(got) != 2 || len(s.tries) > 4 || len(s.knocks) != maxLies {
					t.Errorf("%d knocks, and the tries %+v", len(s.knocks), s.tries)
				}
				for _, w := range *told {
					if w.Line.Lost != "" {
						t.Errorf("told that the place was lost: %s", w)
					}
				}
			})
		})
	}
}

// A place that is truly lost, and replaced by UDP, goes on with the ticket that came by UDP: HTTP honours it.
func TestAPlaceReplacedByUDP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startLine(t, 300*time.Second, 5)
		s.udp = []string{lineAddr.String()}
		c, told := s.client(Options{})
		time.AfterFunc(200*time.Second, func() { s.set(func() { clear(s.holds) }) })
		begun := time.Now()
		if _, err := c.Login(t.Context(), "alice", alicesKey); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took < 500*time.Second || took > 620*time.Second {
			t.Errorf("let in after %v", took)
		}
		if got := s.tickets(); len(got) != 3 && len(got) != 4 {
			t.Errorf("the tries %+v", s.tries)
		}
		lost := 0
		for _, w := range *told {
			if w.Line != nil && w.Line.Lost == "unknown" {
				lost++
			}
		}
		if lost != 1 {
			t.Errorf("told %d times that the place was lost", lost)
		}
	})
}

// A client that UDP alone has told of the line is told as much when the context ends.
func TestLeavingALineThatUDPToldOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startLine(t, 300*time.Second, 5)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		c, told := s.client(Options{KnockAddr: lineAddr.String()})
		_, err := c.Login(ctx, "alice", alicesKey)
		r, ok := errors.AsType[*rushgate.Refusal](err)
		if !ok || !errors.Is(err, context.DeadlineExceeded) || r.Reason != rushgate.ServerBusy || r.Place.Number == 0 {
			t.Errorf("%v, %+v", err, r)
		}
		if len(s.tries) != 0 || len(*told) == 0 {
			t.Errorf("%d tries, told %v", len(s.tries), *told)
		}
		if _, err := c.Login(t.Context(), "alice", alicesKey); err != nil || len(s.tries) != 1 || s.given != 1 {
			t.Errorf("%v after %d tries and %d tickets", err, len(s.tries), s.given)
		}
	})
}

// Nothing that goes by UDP, or that a game logs of it, has the secret or the password in it.
func TestKnocksHaveNoSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startLine(t, 30*time.Second, 5)
		var seen strings.Builder
		s.knocked = func(h udpknock.Holder, ticket []byte, r udpknock.Reply) udpknock.Reply {
			seen.Write(h[:])
			seen.Write(ticket)
			return r
		}
		c, _ := s.client(Options{KnockAddr: lineAddr.String()})
		if _, err := c.Login(t.Context(), "alice", alicesKey); err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{s.tries[0].secret, alicesKey} {
			if strings.Contains(seen.String(), secret) {
				t.Errorf("%q went by UDP", secret)
			}
		}
	})
}

// A node that goes down refuses by UDP: the client asks over HTTP, where another node may answer.
func TestRefusedByUDP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startLine(t, 0, 5)
		s.knocked = func(udpknock.Holder, []byte, udpknock.Reply) udpknock.Reply {
			return udpknock.Reply{Verdict: udpknock.Refused, After: 7 * time.Second}
		}
		s.login = func(*http.Request) (*http.Response, error) {
			if len(s.tries) < 3 {
				return answerOf(503, `{"reason":"server-busy","retry_after_ms":2000}`)
			}
			return nil, nil
		}
		c, told := s.client(Options{KnockAddr: lineAddr.String()})
		begun := time.Now()
		_, err := c.Login(t.Context(), "alice", alicesKey)
		if took := time.Since(begun).Truncate(time.Second); err != nil || took != 11*time.Second || len(s.tries) != 3 {
			t.Errorf("%v after %v and %d tries", err, took, len(s.tries))
		}
		if (*told)[0].String() != "Server is busy, retrying in 7 s" || (*told)[1].Retry != 1 {
			t.Errorf("told %v", *told)
		}
	})
}

func TestKnockAddrIsChecked(t *testing.T) {
	for addr, ok := range map[string]bool{
		"": true, NoKnocks: true, "10.0.0.1:40000": true, "play.example.org:40000": true, "[2001:db8::7]:1": true,
		"play.example.org": false, "play.example.org:udp": false, ":40000": false, "a b:1": false,
	} {
		if _, err := New(lineURL, Options{KnockAddr: addr}); (err == nil) != ok {
			t.Errorf("%q: %v", addr, err)
		}
	}
}
