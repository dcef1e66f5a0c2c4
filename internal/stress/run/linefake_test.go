package run

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	lines "github.com/rushgate/rushgate/internal/line"
	"github.com/rushgate/rushgate/internal/stress/report"
	"github.com/rushgate/rushgate/internal/udpknock"
)

// house is a fake server with a line before its door: the line itself is real, and so are tickets and knocks by UDP.
type house struct {
	fake
	pace  float64 // players let in per second, in batches of 16
	limit int     // players who are inside the door and not proved yet

	udp    []string // addresses in the document
	deaf   bool     // knocks by UDP are not answered
	cause  string   // of a place that is not honoured, which none is then at the first login with a ticket
	silent bool     // does not say turn_ms

	ring     *lines.Keyring
	answerer *udpknock.Answerer
	quit     chan struct{}
	work     sync.WaitGroup

	guard   sync.Mutex
	line    *lines.Line
	waiting []*guest
	secrets int // logins that brought one
	denied  map[string]bool
	down    bool // no connection can be made
	calls   int  // readings of the document
	dialled int  // sockets for knocks by UDP
	runs    byte // of the line, each of which has a random source of its own
}

// guest is a player inside the door.
type guest struct {
	turn int64
	in   chan struct{}
}

// open begins to serve until the test's function returns, which has to call shut, and returns a configuration.
func (h *house) open(t *testing.T) Config {
	t.Helper()
	if h.pace == 0 {
		h.pace, h.limit = 20, 40
	}
	ring, err := lines.NewKeyring(nil, time.Now().Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	h.ring, h.quit, h.denied = ring, make(chan struct{}), map[string]bool{}
	h.restart(t, nil)
	h.answerer, err = udpknock.NewAnswerer(udpknock.Config{Knock: h.knockUDP})
	if err != nil {
		t.Fatal(err)
	}
	h.queue, h.document = h.come, h.tell
	h.work.Go(h.serve)
	cfg := h.start(t)
	dial := cfg.dial
	cfg.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		h.guard.Lock()
		down := h.down
		h.guard.Unlock()
		if down {
			return nil, errors.New("connection refused")
		}
		return dial(ctx, network, address)
	}
	cfg.dialUDP = h.dialUDP
	cfg.random = locked(rand.New(rand.NewPCG(1, 2)).Float64)
	cfg.Timeout = 10 * time.Minute
	cfg.Scenario, cfg.Rate = report.Ramp, 10*h.pace
	return cfg
}

func (h *house) restart(t *testing.T, state []byte) {
	h.runs++
	line, err := lines.New(lines.Config{Pace: h.pace, State: state, Random: rand.NewChaCha8([32]byte{h.runs})})
	if err != nil {
		t.Fatal(err)
	}
	h.guard.Lock()
	defer h.guard.Unlock()
	h.line = line
}

func (h *house) shut() {
	close(h.quit)
	h.work.Wait()
}

// serve lets in a batch when its time has come, and moves the line.
func (h *house) serve() {
	const tick = 50 * time.Millisecond
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for credit := 0.0; ; {
		select {
		case <-ticker.C:
		case <-h.quit:
			return
		}
		h.guard.Lock()
		credit = min(credit+h.pace*tick.Seconds(), 16)
		slices.SortStableFunc(h.waiting, func(a, b *guest) int { return cmp.Compare(a.turn, b.turn) })
		if n := min(int(credit), len(h.waiting)); !h.down && (n == 16 || n > 0 && n == len(h.waiting)) {
			credit -= float64(n)
			for _, g := range h.waiting[:n] {
				close(g.in)
			}
			h.waiting = h.waiting[n:]
		}
		h.line.Tick(h.limit/2-len(h.waiting), h.pace)
		h.guard.Unlock()
	}
}

func (h *house) tell() any {
	h.guard.Lock()
	defer h.guard.Unlock()
	h.calls++
	return document{h.line.Document(0), h.udp}
}

// originOf gives each player an origin, and the crowd one for all.
func originOf(name string) netip.Prefix {
	addr := netip.AddrFrom4([4]byte{192, 0, 2, 1})
	if !strings.Contains(name, "-crowd-") {
		i, _ := strconv.Atoi(idOf(name))
		addr = netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
	}
	return netip.PrefixFrom(addr, addr.BitLen())
}

// come is a login or registration.
func (h *house) come(w http.ResponseWriter, r *http.Request, name string, s shown) {
	h.guard.Lock()
	if s.Secret != "" {
		h.secrets++
	}
	g, said := h.judge(name, s.Secret, s.Ticket)
	if g != nil {
		h.waiting = append(h.waiting, g)
	}
	h.guard.Unlock()
	if g == nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		_ = json.NewEncoder(w).Encode(said)
		return
	}
	select {
	case <-g.in:
		h.admit(w, name, 0)
	case <-r.Context().Done():
	}
}

func (h *house) judge(name, secret, ticket string) (*guest, map[string]any) {
	now := &guest{time.Now().UnixMilli(), make(chan struct{})}
	if secret == "" {
		o, err := h.line.Come(originOf(name), name, false)
		if err == nil && h.line.Came(originOf(name), name) {
			return &guest{o.Turn.UnixMilli(), now.in}, nil
		}
		return nil, said(o)
	}
	holder, lost := lines.HolderOf([]byte(secret)), ""
	if ticket != "" {
		sealed, err := lines.DecodeText(ticket)
		if err == nil {
			var t lines.Ticket
			if t, err = h.ring.Open(sealed); err == nil {
				var o lines.Outlook
				o, err = h.line.Redeem(&t, holder)
				switch {
				case err == nil && h.cause != "" && !h.denied[name]:
					h.denied[name] = true
				case err == nil:
					return &guest{t.Turn.UnixMilli(), now.in}, nil
				case errors.Is(err, lines.ErrNotYet):
					return nil, said(o)
				}
			}
		}
		lost = h.cause
	}
	if len(h.waiting) < h.limit && h.line.Admits(h.limit/2-len(h.waiting)) && lost == "" {
		return now, nil
	}
	t, o, err := h.line.Take(lines.Ask{Origin: originOf(name), Holder: holder})
	if err != nil {
		return nil, map[string]any{"reason": "server-busy", "retry_after_ms": o.PollAfter.Milliseconds()}
	}
	answer := said(o)
	answer["ticket"] = lines.EncodeText(h.ring.Seal(nil, &t))
	if lost != "" {
		answer["place_lost"] = lost
	}
	if h.silent {
		delete(answer, "turn_ms")
	}
	return nil, answer
}

// said is a refusal with a place.
func said(o lines.Outlook) map[string]any {
	return map[string]any{
		"reason": "server-busy", "message": "no room", "retry_after_ms": min(o.PollAfter, time.Minute).Milliseconds(),
		"place": o.Place, "eta_low_ms": o.Low.Milliseconds(), "eta_high_ms": o.High.Milliseconds(),
		"poll_after_ms": o.PollAfter.Milliseconds(), "turn_ms": o.Turn.UnixMilli(),
	}
}

// knockUDP answers a knock by UDP. h.guard is held.
func (h *house) knockUDP(dst []byte, from netip.Addr, holder udpknock.Holder, ticket []byte) udpknock.Reply {
	wait := func(o lines.Outlook) udpknock.Reply {
		return udpknock.Reply{
			Verdict: udpknock.Wait, Place: uint32(o.Place), ETALow: o.Low, ETAHigh: o.High, After: o.PollAfter,
		}
	}
	if len(ticket) > 0 {
		t, err := h.ring.Open(ticket)
		if err != nil {
			return udpknock.Reply{Verdict: udpknock.Refused}
		}
		if o := h.line.Outlook(&t); o.Place > 0 {
			return wait(o)
		}
		return udpknock.Reply{Verdict: udpknock.ComeIn}
	}
	if len(h.waiting) < h.limit && h.line.Admits(h.limit/2-len(h.waiting)) {
		return udpknock.Reply{Verdict: udpknock.ComeIn}
	}
	t, o, err := h.line.Take(lines.Ask{Origin: netip.PrefixFrom(from, from.BitLen()), Holder: lines.Holder(holder)})
	if err != nil {
		return udpknock.Reply{Verdict: udpknock.Refused, After: time.Minute}
	}
	r := wait(o)
	r.Ticket = h.ring.Seal(dst, &t)
	return r
}

// dialUDP makes a socket at which the house hears knocks: datagrams over a pipe.
func (h *house) dialUDP(context.Context, netip.AddrPort) (net.Conn, error) {
	ours, theirs := net.Pipe()
	h.guard.Lock()
	defer h.guard.Unlock()
	h.dialled++
	from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(h.dialled >> 8), byte(h.dialled)}), 999)
	h.work.Go(func() {
		defer theirs.Close()
		buf := make([]byte, 2*udpknock.KnockSize)
		for {
			n, err := theirs.Read(buf)
			if err != nil {
				return
			}
			h.guard.Lock()
			answer := h.answerer.Answer(nil, from, buf[:n])
			deaf := h.deaf || h.down
			h.guard.Unlock()
			if len(answer) == 0 || deaf {
				continue
			}
			if _, err := theirs.Write(answer); err != nil {
				return
			}
		}
	})
	return ours, nil
}
