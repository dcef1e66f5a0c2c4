package run

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	lines "github.com/rushgate/rushgate/internal/line"
	"github.com/rushgate/rushgate/internal/udpknock"
)

// Bounds of when a player asks again.
const (
	soonestAsk = time.Second
	// firstAgain and lastAgain bound the pause, on average, after a question that was not answered.
	firstAgain, lastAgain = time.Second, 30 * time.Second
)

// outOfLine is how long a client is told to wait in place of what the line says: longer than it does, so that it
// returns, and the player waits.
const outOfLine = time.Hour

// place is a player's place in the line of the server: what a good client keeps, and does, while its player waits. It
// is an http.RoundTripper between the player's client and the network, which adds to each login what the line asks for,
// and reads in each refusal what it says of the line. All of it happens on the goroutine that plays.
type place struct {
	run    *run
	number int               // of the player, for the source address
	line   *line             // to the server
	next   http.RoundTripper // the same, or an adapter over it

	secret, ticket string          // "" for none
	turn           int64           // in ms since 1970, by the line's clock; 0: not told
	waits          bool            // by what was said last
	after          time.Duration   // when to ask again
	coming         bool            // at that time the turn comes, and there is nothing to ask
	unanswered     int             // questions in a row
	cut            bool            // the player hung up during a login with the ticket, which may have used it up
	ctx            context.Context // ends when the player hangs up
	attempt        string          // the id of all calls until the player is in or hangs up; "" for a new one
	socket         net.Conn        // for knocks by UDP; nil: none
	asker          *udpknock.Asker

	crowd bool // the player is of the crowd, see visit.crowd
	visit visit
	// onWord is called when the line has told the player something other than by an answer to the client: to wait, or not.
	onWord func(wait bool)
}

// newPlace returns the place of a player who comes now, and is not there yet.
func (r *run) newPlace(number int, l *line, next http.RoundTripper) *place {
	return &place{run: r, number: number, line: l, next: next, onWord: func(bool) {}}
}

// attemptID returns the id by which a server knows what was asked for before, and answered in vain.
func (p *place) attemptID() string {
	if p.attempt == "" {
		p.attempt = rand.Text()
	}
	return p.attempt
}

// tally returns where the player's questions are counted.
func (p *place) tally() *lineTally { return either(p.crowd, &p.run.crowdLine, &p.run.lineTally) }

// refusal is what a server says to a client for which there is no room.
type refusal struct {
	Reason    rushgate.Reason `json:"reason"`
	Message   string          `json:"message"`
	Place     *int            `json:"place"`
	Low       int64           `json:"eta_low_ms"`
	High      int64           `json:"eta_high_ms"`
	PollAfter int64           `json:"poll_after_ms"`
	Turn      int64           `json:"turn_ms"`
	Ticket    string          `json:"ticket"`
	PlaceLost string          `json:"place_lost"`
}

// RoundTrip implements [http.RoundTripper].
func (p *place) RoundTrip(req *http.Request) (*http.Response, error) {
	path := req.URL.Path
	if req.Method != http.MethodPost || !strings.HasSuffix(path, "/v1/login") && !strings.HasSuffix(path, "/v1/register") {
		return p.next.RoundTrip(req)
	}
	p.waits = false
	p.hangUp() // so that one socket at a time is open
	shown := false
	if p.run.access.plays {
		shown = p.ticket != ""
		var err error
		if req, err = p.show(req); err != nil {
			return nil, err
		}
	}
	p.tally().knock(shown)
	resp, err := p.next.RoundTrip(req)
	if err != nil {
		p.missed(shown)
		return nil, err
	}
	return p.hear(resp)
}

// missed takes note of a login without an answer, with a ticket or without.
func (p *place) missed(ticket bool) {
	if p.ctx != nil && p.ctx.Err() != nil {
		p.cut = p.cut || ticket
		return
	}
	p.visit.unheard = p.visit.unheard || p.visit.placed
}

// renew takes a ticket in place of the one that the player has, if there is one.
func (p *place) renew(ticket, lost string) {
	if p.ticket != "" && p.ticket != ticket {
		p.visit.lost = true
		if !p.cut {
			p.tally().lose(lost)
		}
	}
	p.ticket, p.cut = ticket, false
}

// show returns a request that shows what the player has.
func (p *place) show(req *http.Request) (*http.Request, error) {
	body, err := io.ReadAll(req.Body)
	closeBody(req)
	end := bytes.LastIndexByte(body, '}')
	if err != nil || end < 0 {
		return nil, errors.Join(err, errors.New("stress: a login without a body"))
	}
	if p.secret == "" {
		p.secret = rand.Text()
	}
	shown, err := json.Marshal(struct {
		Secret string `json:"line_secret"`
		Ticket string `json:"ticket,omitempty"`
	}{p.secret, p.ticket})
	if err != nil {
		return nil, err
	}
	body = append(append(body[:end:end], ','), shown[1:]...)
	req = req.Clone(req.Context())
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	req.Body, err = req.GetBody()
	req.ContentLength = int64(len(body))
	return req, err
}

// hear takes from an answer what it says of the line. A client whose player waits in it is told to come back so late
// that it leaves that to the player.
func (p *place) hear(resp *http.Response) (*http.Response, error) {
	body, err := io.ReadAll(resp.Body) // which is in memory
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	var said refusal
	switch {
	case resp.StatusCode < http.StatusMultipleChoices:
		p.secret, p.ticket = "", "" // used up
	case resp.StatusCode != http.StatusServiceUnavailable || json.Unmarshal(body, &said) != nil || said.Place == nil:
	default:
		p.told(&said)
		if !p.run.access.plays {
			break
		}
		body = fmt.Appendf(nil, `{"reason":%q,"message":"in line","retry_after_ms":%d}`, rushgate.ServerBusy,
			outOfLine.Milliseconds())
		resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		resp.Header.Del("Content-Length")
	}
	return resp, nil
}

// told takes note of a place.
func (p *place) told(said *refusal) {
	p.waits, p.unanswered = true, 0
	p.later(millis(said.PollAfter), false)
	if said.Ticket != "" && p.run.access.plays {
		p.renew(said.Ticket, said.PlaceLost)
	}
	if said.Turn != 0 {
		p.turn, p.visit.turn = said.Turn, said.Turn
	}
	p.visit.tell(time.Now(), millis(said.Low), millis(said.High))
}

// millis returns a time that a server tells, up to some days.
func millis(ms int64) time.Duration {
	return time.Duration(min(max(ms, 0), maxTime.Milliseconds())) * time.Millisecond
}

// later has the player ask again after a while, or come.
func (p *place) later(after time.Duration, coming bool) {
	p.after, p.coming = min(max(after, soonestAsk), maxTime), coming
}

// enter calls until the player is in, or is refused otherwise than with a place in the line; in between the player
// waits there. With a ticket it calls again also when no answer came. The error wraps that of ctx if it has ended, and
// the last refusal.
func (p *place) enter(ctx context.Context,
	call func(context.Context) (*client.Session, error)) (*client.Session, error) {
	p.ctx, p.attempt = ctx, ""
	defer p.hangUp()
	var last error = &rushgate.Refusal{Reason: rushgate.ServerBusy}
	if p.run.access.plays && (p.ticket != "" || len(p.run.access.udp) > 0) {
		p.after, p.coming = 0, false
		if err := p.await(ctx); err != nil {
			if !p.waits {
				return nil, err
			}
			return nil, endOf(ctx, last)
		}
	}
	for {
		session, err := call(ctx)
		switch {
		case err == nil || !p.run.access.plays:
			return session, err
		case p.waits:
		case errors.Is(err, client.ErrNoAnswer) && p.ticket != "": // the node is away, and the place will be there
			p.backOff()
		default:
			return nil, err
		}
		last = err
		if p.await(ctx) != nil {
			return nil, endOf(ctx, last)
		}
	}
}

// await waits in the line, and returns when the player is to log in: its turn has come, or that is the way to learn
// more. The error is that of ctx.
func (p *place) await(ctx context.Context) error {
	for {
		if !sleep(ctx, p.after) {
			return ctx.Err()
		}
		if p.coming || p.ask(ctx) {
			return ctx.Err()
		}
	}
}

// ask asks where the player stands, and reports whether to log in.
func (p *place) ask(ctx context.Context) (login bool) {
	if len(p.run.access.udp) > 0 {
		reply, err := p.knock(ctx)
		if err == nil {
			return p.follow(&reply)
		}
		if ctx.Err() != nil {
			return false
		}
		p.tally().silence()
	}
	if p.turn == 0 {
		return true
	}
	d, err := p.document(ctx)
	if err != nil {
		p.missed(false)
		p.backOff()
		return false
	}
	p.unanswered = 0
	_, wait, waits := lines.PlaceOf(d.Document, time.UnixMilli(p.turn))
	if waits {
		p.later(lines.PollAfter(d.Document, wait, p.run.cfg.random()), false)
	}
	return !waits
}

// backOff has the player ask again after a pause that grows with each question in a row that was not answered.
func (p *place) backOff() {
	pause := min(firstAgain<<min(p.unanswered, 10), lastAgain)
	p.unanswered++
	p.later(time.Duration((0.5+p.run.cfg.random())*float64(pause)), false)
}

// document reads the line's document, over a connection of its own as for a login.
func (p *place) document(ctx context.Context) (document, error) {
	ask := func(ctx context.Context) (document, error) {
		p.tally().poll()
		if !p.run.cfg.KeepAlive {
			defer p.line.CloseIdleConnections()
		}
		return fetchDocument(ctx, p.line, p.run.cfg.Target)
	}
	if shared := p.run.access.shared; shared != nil {
		return shared.get(ctx, ask)
	}
	return ask(ctx)
}

// knock asks by UDP.
func (p *place) knock(ctx context.Context) (udpknock.Reply, error) {
	if p.socket == nil {
		conn, err := p.run.access.dialUDP(ctx, p.number)
		if err != nil {
			p.run.tally.failedToConnect(err)
			return udpknock.Reply{}, err
		}
		p.socket, p.asker = conn, &udpknock.Asker{Conn: conn}
	}
	if p.secret == "" {
		p.secret = rand.Text()
	}
	sealed, err := lines.DecodeText(p.ticket)
	if err != nil { // there is none, or it is of another kind
		sealed = nil
	}
	p.tally().ask()
	reply, err := p.asker.Ask(ctx, udpknock.Holder(lines.HolderOf([]byte(p.secret))), sealed)
	if err != nil { // the node may be another one now
		p.hangUp()
	}
	return reply, err
}

// follow does as a node says by UDP, and reports whether to log in.
func (p *place) follow(r *udpknock.Reply) (login bool) {
	p.onWord(r.Verdict == udpknock.Wait)
	if len(r.Ticket) > 0 {
		if text := lines.EncodeText(r.Ticket); text != p.ticket {
			p.renew(text, "")
			p.turn = 0 // which is not told by UDP; for players who have no turn ahead of the time it is when the ticket was made
			if r.Verdict == udpknock.Wait {
				p.visit.turn = time.Now().Add(-p.run.access.ahead).UnixMilli()
			}
		}
	}
	switch r.Verdict {
	case udpknock.Wait:
		p.waits = true
		p.visit.tell(time.Now(), r.ETALow, r.ETAHigh)
		p.later(r.After, false)
		return false
	case udpknock.Refused: // why, and until when, is said over HTTP
		p.later(r.After, true)
		return false
	}
	return true
}

// hangUp closes the socket of knocks by UDP.
func (p *place) hangUp() {
	if p.socket == nil {
		return
	}
	_ = p.socket.Close() // there is nothing to lose in it
	p.socket, p.asker = nil, nil
}

// leave ends a visit: the player is in, or gone. began is when the client first knocked.
func (p *place) leave(in bool, due, began, now time.Time) {
	v := p.visit
	p.visit = visit{}
	v.in, v.due, v.end, v.crowd = in, due, now, p.crowd
	if !v.placed { // let in as it came
		v.turn = began.Add(-p.run.access.ahead).UnixMilli()
	}
	p.run.lineTally.add(v)
}
