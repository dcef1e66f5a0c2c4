package client

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rushgate/rushgate/internal/line"
	"github.com/rushgate/rushgate/internal/memnet"
	"github.com/rushgate/rushgate/internal/udpknock"
	"github.com/rushgate/rushgate/netcode"
)

const (
	lineURL   = "http://line.test"
	lineGrace = 10 * time.Minute
	alicesKey = "correct horse"
)

var (
	lineAddr = netip.MustParseAddrPort("10.0.0.1:40000")
	// alicesAnswer is that of a try that was let in.
	alicesAnswer = `{"player_id":12,"session_token":"token-1","expires_at":"2026-01-02T15:04:05Z"}`
)

// lineServer is a server with a line, to be used in a synctest bubble. Its line is a function of time: it is as long as
// wait says, and each place comes when it was said to, no sooner and no later. Tickets are only as good as they are
// known.
type lineServer struct {
	t       *testing.T
	network *memnet.Network

	mu    sync.Mutex
	wait  time.Duration // of those who come now; 0: they are let in
	pace  float64       // per second
	udp   []string      // what the document names
	holds map[string]*lineTicket
	given int
	moved time.Duration // by how much the clock of the line was set

	// What a test changes, in the terms of HTTP: an answer instead of the right one.
	login, document func(r *http.Request) (*http.Response, error)
	// knocked replaces the answer to a knock.
	knocked func(holder udpknock.Holder, ticket []byte, r udpknock.Reply) udpknock.Reply

	tries     []tryMade
	documents []time.Time
	knocks    []time.Time
}

type lineTicket struct {
	turn   time.Time // when it comes, by the line's clock
	holder udpknock.Holder
	used   bool
}

// tryMade is a try as it came.
type tryMade struct {
	at              time.Time
	path            string
	attempt, secret string
	ticket, work    string
}

// startLine starts a server on whose port a goroutine answers knocks until the test ends.
func startLine(t *testing.T, wait time.Duration, pace float64) *lineServer {
	t.Helper()
	s := &lineServer{
		t: t, network: memnet.New(memnet.Options{Delay: 20 * time.Millisecond}), wait: wait, pace: pace,
		holds: map[string]*lineTicket{},
	}
	conn, err := memnet.Listen[netcode.Message](s.network, lineAddr)
	if err != nil {
		t.Fatal(err)
	}
	a, err := udpknock.NewAnswerer(udpknock.Config{Knock: s.knock})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.answerKnocks(conn, a)
	}()
	t.Cleanup(func() {
		conn.Close()
		<-done
	})
	return s
}

func (s *lineServer) answerKnocks(conn *memnet.Listener[netcode.Message], a *udpknock.Answerer) {
	in := []netcode.Message{{Buf: make([]byte, 1024)}}
	for {
		n, err := conn.ReadBatch(in, time.Time{})
		if err != nil {
			return
		}
		for _, m := range in[:n] {
			if out := a.Answer(nil, m.Addr, m.Buf[:m.N]); len(out) > 0 {
				_, _ = conn.WriteBatch([]netcode.Message{{Buf: out, N: len(out), Addr: m.Addr}})
			}
		}
	}
}

// now is the time by the line's clock. s.mu is held.
func (s *lineServer) now() time.Time { return time.Now().Add(s.moved) }

// until is what is told of a turn: how long, and the place.
func (s *lineServer) until(turn time.Time) (wait time.Duration, place int) {
	wait = turn.Sub(s.now())
	return wait, int(math.Ceil(max(wait.Seconds()*s.pace, 0))) + 1
}

// find returns the ticket of a text, and what it is to those who show it if it is not good.
func (s *lineServer) find(text string, holder udpknock.Holder) (t *lineTicket, lost string) {
	switch t = s.holds[text]; {
	case text == "":
		return nil, ""
	case t == nil || t.holder != holder:
		return nil, "unknown"
	case t.used:
		return nil, "used"
	case s.now().After(t.turn.Add(lineGrace)):
		return nil, "expired"
	}
	return t, ""
}

// give gives a ticket.
func (s *lineServer) give(holder udpknock.Holder) (string, *lineTicket) {
	sum := sha256.Sum256(fmt.Append(nil, s.given))
	s.given++
	text := base64.RawURLEncoding.EncodeToString(append(sum[:], append(sum[:], sum[:2]...)...))
	s.holds[text] = &lineTicket{turn: s.now().Add(s.wait), holder: holder}
	return text, s.holds[text]
}

// knock is the answer to one by UDP.
func (s *lineServer) knock(dst []byte, _ netip.Addr, holder udpknock.Holder, ticket []byte) udpknock.Reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.knocks = append(s.knocks, time.Now())
	text := base64.RawURLEncoding.EncodeToString(ticket)
	t, _ := s.find(text, holder)
	if t == nil {
		text, t = s.give(holder)
	}
	sealed, err := line.DecodeText(text)
	if err != nil {
		s.t.Error(err)
	}
	r := udpknock.Reply{Verdict: udpknock.ComeIn, Ticket: append(dst, sealed...)}
	if wait, place := s.until(t.turn); wait > 0 {
		r.Verdict, r.Place = udpknock.Wait, uint32(place)
		r.ETALow, r.ETAHigh, r.After = wait*3/4, wait*13/10+5*time.Second, max(wait*2/3, time.Second)
	}
	if s.knocked != nil {
		r = s.knocked(holder, ticket, r)
	}
	return r
}

func answerOf(status int, body any) (*http.Response, error) {
	b, ok := body.(string)
	if !ok {
		j, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		b = string(j)
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(bytes.NewReader([]byte(b)))}, nil
}

// RoundTrip is the server's HTTP side.
func (s *lineServer) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r.URL.Path {
	case "/v1/line":
		s.documents = append(s.documents, time.Now())
		if s.document != nil {
			if a, err := s.document(r); a != nil || err != nil {
				return a, err
			}
		}
		now := s.now().UnixMilli()
		ahead := int(s.wait.Seconds() * s.pace)
		return answerOf(200, map[string]any{
			"now_ms": now, "serving_ms": now, "pace_per_s": s.pace, "waiting": ahead, "poll_factor": 0.2, "udp": s.udp,
			"marks": []line.Mark{{Turn: now, Before: 0}, {Turn: now + s.wait.Milliseconds(), Before: ahead}},
		})
	case "/v1/login", "/v1/register":
		return s.try(r)
	}
	return answerOf(404, "not found")
}

func (s *lineServer) try(r *http.Request) (*http.Response, error) {
	var in struct {
		Attempt string `json:"attempt_id"`
		Secret  string `json:"line_secret"`
		Ticket  string `json:"ticket"`
		Work    string `json:"line_work"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return nil, err
	}
	s.tries = append(s.tries, tryMade{time.Now(), r.URL.Path, in.Attempt, in.Secret, in.Ticket, in.Work})
	if s.login != nil {
		if a, err := s.login(r); a != nil || err != nil {
			return a, err
		}
	}
	holder := udpknock.Holder(line.HolderOf([]byte(in.Secret)))
	t, lost := s.find(in.Ticket, holder)
	if t != nil && !s.now().Before(t.turn) {
		t.used = true
		return answerOf(200, alicesAnswer)
	}
	if t == nil && s.wait == 0 {
		return answerOf(200, alicesAnswer)
	}
	out := map[string]any{"reason": "server-busy", "message": "busy"}
	if t == nil {
		out["ticket"], t = s.give(holder)
	}
	if lost != "" {
		out["place_lost"] = lost
	}
	wait, place := s.until(t.turn)
	out["place"], out["turn_ms"] = place, t.turn.UnixMilli()
	out["eta_low_ms"], out["eta_high_ms"] = max(wait.Milliseconds()*3/4-1000, 0), wait.Milliseconds()*13/10+5000
	out["poll_after_ms"] = max(wait.Milliseconds()/2, 1000)
	return answerOf(503, out)
}

// set changes what the server does.
func (s *lineServer) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// client returns a client of the server, whose knocks go over its network, and the sentences that the game was told.
func (s *lineServer) client(opts Options) (*Client, *[]Wait) {
	s.t.Helper()
	var told []Wait
	opts.Transport = s
	opts.Rand = func() float64 { return 0.5 }
	opts.OnWait = func(w Wait) { told = append(told, w) }
	c, err := New(lineURL, opts)
	if err != nil {
		s.t.Fatal(err)
	}
	port := uint16(50000)
	c.dialKnock = func(_ context.Context, addr string) (net.Conn, error) {
		to, err := netip.ParseAddrPort(addr)
		if err != nil {
			return nil, err
		}
		port++
		return s.network.Dial(netip.AddrPortFrom(netip.MustParseAddr("10.0.0.2"), port), to)
	}
	return c, &told
}

// tickets returns those that tries have shown, one after the other.
func (s *lineServer) tickets() (all []string) {
	for _, t := range s.tries {
		all = append(all, t.ticket)
	}
	return slices.Compact(all)
}

// forOneWait checks that all tries were of one wait, with one attempt and one secret, and so long apart.
func (s *lineServer) forOneWait(apart time.Duration) {
	s.t.Helper()
	for i, t := range s.tries {
		first := s.tries[0]
		if t.attempt != first.attempt || t.secret != first.secret || len(t.secret) < 22 {
			s.t.Errorf("try %d is of another wait: %+v, and the first was %+v", i, t, first)
		}
		if i > 0 && t.at.Sub(s.tries[i-1].at) < apart {
			s.t.Errorf("try %d came %v after the one before", i, t.at.Sub(s.tries[i-1].at))
		}
	}
}

var errNetwork = errors.New("network is unreachable")
