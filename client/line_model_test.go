package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/line"
	"github.com/rushgate/rushgate/internal/udpknock"
)

// chaos answers in any way there is, by a seed.
type chaos struct {
	*lineServer
	rng   *rand.Rand
	good  string // the ticket that was last given over HTTP
	given int
}

// millis returns a time in milliseconds, of any order of magnitude; now and then one that cannot be.
func (c *chaos) millis() int64 {
	if c.rng.IntN(20) == 0 {
		return c.rng.Int64() - c.rng.Int64()
	}
	return int64(1) << c.rng.IntN(24)
}

func (c *chaos) try(*http.Request) (*http.Response, error) {
	showed := c.tries[len(c.tries)-1].ticket
	if c.good != "" && showed != c.good {
		c.t.Errorf("showed %q, and holds %q", showed, c.good)
	}
	switch c.rng.IntN(10) {
	case 0:
		return nil, errNetwork
	case 1:
		return answerOf(503, `{"reason":"server-busy"}`)
	case 2:
		return answerOf(504, `{"reason":"request-expired"}`)
	}
	if c.rng.IntN(10) == 0 {
		return answerOf(503, workBody(c.rng.IntN(6), time.Duration(c.rng.IntN(3000))*time.Millisecond))
	}
	if len(c.tries) > 3 && c.rng.IntN(10) == 0 {
		return answerOf(200, alicesAnswer)
	}
	a := map[string]any{"reason": "server-busy", "place": 1 + c.rng.IntN(1e6)}
	for _, name := range []string{"eta_low_ms", "eta_high_ms", "poll_after_ms", "turn_ms", "retry_after_ms"} {
		if c.rng.IntN(4) > 0 {
			a[name] = c.millis()
		}
	}
	if c.rng.IntN(2) == 0 {
		a["turn_ms"] = time.Now().Add(time.Duration(c.rng.IntN(1e12))).UnixMilli()
	}
	if c.good == "" || c.rng.IntN(4) == 0 {
		c.given++
		c.good = "ticket-" + string(rune('a'+c.given%26)) + "23"
		a["ticket"] = c.good
	}
	return answerOf(503, a)
}

func (c *chaos) line(*http.Request) (*http.Response, error) {
	switch c.rng.IntN(12) {
	case 0:
		return nil, errNetwork
	case 1:
		return answerOf(503, `{"reason":"server-busy"}`)
	case 2:
		return answerOf(200, `<html>`)
	}
	d := line.Document{
		Now: time.Now().UnixMilli(), Serving: time.Now().UnixMilli() - c.millis(), Pace: c.rng.ExpFloat64() * 100,
		Factor: c.rng.Float64(), Marks: []line.Mark{{Turn: time.Now().UnixMilli(), Before: c.rng.IntN(1e6)}},
	}
	return answerOf(200, document{d, []string{lineAddr.String()}})
}

func (c *chaos) reply(_ udpknock.Holder, _ []byte, r udpknock.Reply) udpknock.Reply {
	switch c.rng.IntN(25) {
	case 0:
		return udpknock.Reply{Verdict: udpknock.ComeIn}
	case 1:
		return udpknock.Reply{Verdict: udpknock.Refused, After: time.Duration(c.millis()) * time.Millisecond}
	case 2:
		return udpknock.Reply{} // says nothing
	case 3:
		r.Ticket = []byte("forged")
	default:
		r.Ticket = nil
	}
	r.Verdict, r.After = udpknock.Wait, time.Duration(c.millis())*time.Millisecond
	return r
}

// Whatever a server says, and whoever speaks for it by UDP: a call ends by being let in or with its context; it shows
// the ticket that it holds and no other; it asks no more than once a second, and tells the game what can be.
func TestWhateverTheLineSays(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint64().Draw(rt, "seed")
		knocks := rapid.Bool().Draw(rt, "knocks")
		limits := []time.Duration{time.Second, time.Minute, 20 * time.Minute, 12 * time.Hour}
		limit := rapid.SampledFrom(limits).Draw(rt, "limit")
		synctest.Test(t, func(t *testing.T) {
			c := &chaos{lineServer: startLine(t, time.Hour, 5), rng: rand.New(rand.NewPCG(seed, 1))}
			c.login, c.document, c.knocked = c.try, c.line, c.reply
			opts := Options{MaxRetries: 1000, KnockAddr: NoKnocks}
			if knocks {
				opts.KnockAddr = lineAddr.String()
			}
			cl, told := c.client(opts)
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			begun := time.Now()
			s, err := cl.Login(ctx, "alice", alicesKey)
			took := time.Since(begun)
			if (s == nil) == (err == nil) || err != nil && !errors.Is(err, context.DeadlineExceeded) &&
				!errors.Is(err, rushgate.ServerBusy) || took > limit {
				t.Errorf("%v, %v after %v of %v", s, err, took, limit)
			}
			most := int(took/time.Second)*2 + 20
			if len(c.tries) > most || len(c.documents) > most || len(c.knocks) > most {
				t.Errorf("%d tries, %d documents, %d knocks in %v", len(c.tries), len(c.documents), len(c.knocks), took)
			}
			bar := 0.0
			for _, w := range *told {
				if w.Delay < 0 || w.Delay > mostPoll {
					t.Errorf("a pause of %v", w.Delay)
				}
				if l := w.Line; l != nil {
					p := l.Progress(l.At)
					if p < bar || p > 1 || l.Place < 0 || l.Low < 0 || l.High < l.Low || strings.Contains(w.String(), "-") {
						t.Errorf("%q: %+v, and the bar goes from %v to %v", w, l, bar, p)
					}
					bar = min(p, 0.99) // the turn may turn out not to have come
				}
			}
		})
	})
}
