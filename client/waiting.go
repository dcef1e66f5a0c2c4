package client

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/line"
)

const (
	// leastPoll and mostPoll bound the pauses between two questions, whatever a server asks for.
	leastPoll = time.Second
	mostPoll  = time.Hour
	// maxETA is the longest wait that a client believes in.
	maxETA = 30 * 24 * time.Hour
	// doubtAfter is how much later than the longest time that it was told a client asks by a try, whatever it was told
	// since: an answer by UDP may be forged, and a document may be an old one that some proxy goes on giving out.
	doubtAfter = 10 * time.Second
	// mostTrust is how long a client believes what it was told by UDP alone.
	mostTrust = 10 * time.Minute
	// placeGrace is how long a client with a place goes on trying while the server does not answer, or has no room and
	// no place for it: for so long a server keeps places whose turn has come, unless it is set otherwise.
	placeGrace = 10 * time.Minute
	// documentTime is how long one may take to come, and documentTries how many may fail before the client tries to log
	// in instead.
	documentTime  = 5 * time.Second
	documentTries = 3
	// wakeEvery is how often a pause looks at the clocks: a machine that slept is to ask when it wakes.
	wakeEvery = 10 * time.Second
)

// waiting is what one call of Register or Login knows of the line. Two things alternate: a try shows the place to the
// server, which is the one true judge of it; and if that was refused, [waiting.wait] asks now and then in cheaper ways,
// and returns when the next try is due.
type waiting struct {
	client *Client
	place  place
	nonce  string    // the proof of work for a server that asks for one; empty: there is none that it might take
	turn   time.Time // of the place, by the line's clock; zero: not known
	news   *Line     // what the game was told last of this place; nil: nothing yet
	lost   string    // what became of the place before it, if the game was not told yet
	last   *rushgate.Refusal
	// doubt is when the next try is due, whatever the client is told meanwhile. Refusals of tries set it; UDP does while
	// there was none.
	doubt time.Time
	told  time.Time // when there was word of the place last; zero: there was none
	// fresh is the new place that was given for a ticket that was not honoured, while another is to be shown.
	fresh *rushgate.Place

	udp        knocker
	noDocument bool // the server has none
	failed     int  // documents in a row that did not come
}

// advice is what a client was told: where it stands, and what to do.
type advice struct {
	waits     bool // it has a place in the line, of which the next three tell as far as they are known
	place     int
	low, high time.Duration
	come      bool // its turn has come: a try is due
	byUDP     bool

	after  time.Duration // how long to pause otherwise
	try    bool          // whether a try is due then, rather than another question
	reason rushgate.Reason
}

// forWorld reports whether the place is in the world's line.
func (w *waiting) forWorld() bool { return w.place.proof != "" }

// usesUDP reports whether to ask by UDP, which is for the line before the door.
func (w *waiting) usesUDP() bool { return !w.forWorld() && w.udp.usable() }

// enterWorld notes that the player has proved to own the account, and waits for the world from now on.
func (w *waiting) enterWorld(owner [sha256.Size]byte) {
	w.place = place{secret: w.place.secret, owner: owner}
	w.fresh, w.noDocument, w.failed = nil, false, 0
	w.begun("")
}

// leaveWorld notes that the proof is worth nothing any more: the player has to log in again.
func (w *waiting) leaveWorld() {
	w.place, w.fresh, w.turn, w.noDocument = newPlace(), nil, time.Time{}, false
	w.begun("")
}

// begin asks by UDP where an address is known, and returns when the first try is due.
func (w *waiting) begin(ctx context.Context) error {
	if !w.usesUDP() {
		return nil
	}
	a, ok, err := w.askByUDP(ctx)
	if !ok || err != nil {
		return err
	}
	return w.follow(ctx, a)
}

// judge takes note of the place in the refusal of a try. It reports whether to try again at once, since the ticket
// that was shown is not honoured, and there is another one.
func (w *waiting) judge(r *rushgate.Refusal) (again bool) {
	p, shown := r.Place, w.place.best()
	if p.Proof != "" {
		w.place.proof = p.Proof
	}
	r.Place.Ticket, r.Place.Proof, p.Proof = "", "", "" // the caller prints the refusal, perhaps
	w.told = time.Now()
	switch {
	case shown == "" || p.Lost == "":
		w.udp.judge(w.place.ticket != "" && w.place.heard != "")
		if p.Ticket == "" {
			p.Ticket = shown
		}
		if w.fresh != nil {
			w.begun(w.fresh.Lost) // the other ticket is good, but a later place than the one that was lost
		}
	default:
		if w.fresh == nil {
			w.fresh = &p
		}
		if w.place.ticket != "" && w.place.heard != "" {
			w.place.ticket = ""
			return true
		}
		p = *w.fresh // of two new places the first is the better one
		w.begun(p.Lost)
	}
	w.place.ticket, w.place.heard, w.fresh = p.Ticket, "", nil
	w.nonce = ""
	w.turn, w.doubt = p.Turn, w.told.Add(max(p.High, p.PollAfter)+doubtAfter)
	p.Ticket = ""
	r.Place, w.last = p, r
	return false
}

// begun notes that the client has another place than before.
func (w *waiting) begun(lost string) { w.lost, w.news, w.place.since = lost, nil, time.Time{} }

// wait returns when a try is due after the one that judge took note of. The error is that of ctx.
func (w *waiting) wait(ctx context.Context) error {
	p := w.last.Place
	// A server that wants to be asked no sooner than the turn may have come wants the client to come then.
	return w.follow(ctx, advice{
		waits: true, place: p.Number, low: p.Low, high: p.High, after: p.PollAfter, try: p.PollAfter > p.Low,
		reason: rushgate.ServerBusy,
	})
}

// follow does as it is told, asks again, and so on, until a try is due.
func (w *waiting) follow(ctx context.Context, a advice) error {
	for {
		if a.come {
			w.tell(a)
			return nil
		}
		if w.doubt.IsZero() { // there was no try yet: this came by UDP
			w.doubt = time.Now().Add(min(max(a.high, a.after), mostTrust) + doubtAfter)
		}
		a.after = min(max(a.after, leastPoll), mostPoll, max(time.Until(w.doubt), 0))
		w.tell(a)
		if err := w.sleep(ctx, a.after); err != nil {
			return err
		}
		if a.try || !time.Now().Before(w.doubt) {
			return nil
		}
		next, ok, err := w.ask(ctx)
		if !ok || err != nil {
			return err
		}
		a = next
	}
}

// ask asks in the cheapest way that there is. If none is left, it is not ok, and a try is due.
func (w *waiting) ask(ctx context.Context) (a advice, ok bool, err error) {
	if w.usesUDP() {
		if a, ok, err = w.askByUDP(ctx); ok || err != nil {
			return a, ok, err
		}
	}
	return w.askDocument(ctx)
}

// askDocument asks by the document that is the same for all.
func (w *waiting) askDocument(ctx context.Context) (a advice, ok bool, err error) {
	if w.noDocument || w.turn.IsZero() {
		return a, false, nil
	}
	d, err := w.client.lineDocument(ctx, w.forWorld())
	switch refusal, _ := errors.AsType[*rushgate.Refusal](err); {
	case err == nil:
		w.failed = 0
	case ctx.Err() != nil:
		return advice{}, false, w.ended(ctx.Err())
	case !passes(err):
		w.noDocument = true
		return advice{}, false, nil
	case w.failed == documentTries-1:
		w.failed = 0
		return advice{}, false, nil
	default:
		a = advice{after: w.client.jitter(w.failed)}
		if refusal != nil {
			a.reason, a.after = rushgate.ServerBusy, max(a.after, refusal.RetryAfter)
		}
		w.failed++
		return a, true, nil
	}
	if !w.forWorld() {
		w.udp.learn(d.UDP)
	}
	return read(d.Document, w.turn, w.client.opts.Rand()), true, nil
}

// passes reports whether a document may be had later that cannot be had now.
func passes(err error) bool {
	return retryable(err) || errors.Is(err, rushgate.RateLimited) || errors.Is(err, rushgate.InternalError)
}

// read returns what a document says to the holder of a turn.
func read(d line.Document, turn time.Time, chance float64) advice {
	place, wait, waits := line.PlaceOf(d, turn)
	a := advice{waits: waits, place: max(place, 0), come: !waits, reason: rushgate.ServerBusy}
	switch {
	case !waits:
	case d.Pace <= 0: // how long is not known
		a.after = mostPoll
	default:
		a.low, a.high = line.Interval(d, wait)
		a.after = line.PollAfter(d, wait, min(max(chance, 0), 1))
	}
	return a
}

// placeIn returns the place in the line that a refusal tells of; the zero value if there is none. What cannot be is
// left out.
func placeIn(body []byte, retryAfter time.Duration) rushgate.Place {
	var b struct {
		Number    int    `json:"place"`
		Low       int64  `json:"eta_low_ms"`
		High      int64  `json:"eta_high_ms"`
		PollAfter int64  `json:"poll_after_ms"`
		Turn      int64  `json:"turn_ms"`
		Ticket    string `json:"ticket"`
		Lost      string `json:"place_lost"`
		Proof     string `json:"proof"`
	}
	if json.Unmarshal(body, &b) != nil || b.Number < 1 {
		return rushgate.Place{}
	}
	p := rushgate.Place{Number: b.Number, Low: upTo(b.Low, maxETA), PollAfter: upTo(b.PollAfter, mostPoll)}
	p.High = max(upTo(b.High, maxETA), p.Low)
	if p.PollAfter == 0 {
		p.PollAfter = min(retryAfter, mostPoll)
	}
	if b.Turn > 0 {
		p.Turn = time.UnixMilli(b.Turn)
	}
	if urlSafe(b.Ticket, 1, maxTicket) {
		p.Ticket = b.Ticket
	}
	if validReason(b.Lost) {
		p.Lost = b.Lost
	}
	if p.Ticket != "" && urlSafe(b.Proof, 1, maxProof) { // one without the other is of no use
		p.Proof = b.Proof
	}
	return p
}

// upTo returns a time that came in milliseconds: 0 to a greatest one.
func upTo(ms int64, most time.Duration) time.Duration {
	return time.Duration(min(max(ms, 0), most.Milliseconds())) * time.Millisecond
}

// document is what GET /v1/line answers.
type document struct {
	line.Document
	UDP []string `json:"udp"`
}

func (c *Client) lineDocument(ctx context.Context, world bool) (document, error) {
	r := request{op: "line", method: http.MethodGet, path: "/v1/line", within: documentTime}
	if world {
		r.path += "?line=world"
	}
	ans, err := c.exchange(ctx, r)
	if err != nil {
		return document{}, err
	}
	var d document
	err = r.decode(ans, &d, http.StatusOK)
	return d, err
}

// tell tells the game what the client was told.
func (w *waiting) tell(a advice) {
	now := time.Now()
	if a.waits || a.come && w.news != nil { // a client that need not wait has nothing to tell
		if w.place.since.IsZero() {
			w.place.since = now
		}
		l := Line{
			Place: a.place, Low: a.low, High: a.high, Come: a.come, ByUDP: a.byUDP, At: now, Since: w.place.since,
			Lost: w.lost, Ticket: ticketOf(w.place), World: w.forWorld(),
		}
		if w.news != nil {
			l.progress = w.news.Progress(now)
		}
		w.news, w.lost, w.told = &l, "", now
	}
	if a.come && w.news == nil || w.client.opts.OnWait == nil {
		return
	}
	told := Wait{Reason: a.reason, Delay: a.after, Line: w.line(), kept: !a.waits && !a.come}
	if w.last != nil && !a.come {
		told.shut(w.last)
	}
	w.client.opts.OnWait(told)
}

// line returns what the game was told last, for the game to keep; nil if there is nothing.
func (w *waiting) line() *Line {
	if w.news == nil {
		return nil
	}
	l := *w.news
	return &l
}

// holds reports whether the client has a place that the server knew a short time ago.
func (w *waiting) holds() bool { return !w.told.IsZero() && time.Since(w.told) < placeGrace }

// ended is the error of a wait that ctx has ended.
func (w *waiting) ended(err error) error {
	if w.last == nil && w.news != nil { // UDP alone has told of the line
		w.last = &rushgate.Refusal{Reason: rushgate.ServerBusy, Place: rushgate.Place{
			Number: w.news.Place, Low: w.news.Low, High: w.news.High,
		}}
	}
	if w.last == nil {
		return err
	}
	return fmt.Errorf("%w after: %w", err, w.last)
}

// sleep pauses, as long as the machine does not sleep: whatever it was, it may be over when the machine wakes.
func (w *waiting) sleep(ctx context.Context, pause time.Duration) error {
	begun, day := time.Now(), w.client.timeOfDay()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		passed := time.Since(begun)
		if w.client.timeOfDay().Sub(day)-passed > asleep {
			w.client.stale.Store(true)
			return nil
		}
		if passed >= pause {
			return nil
		}
		timer.Reset(min(pause-passed, wakeEvery))
		select {
		case <-timer.C:
		case <-ctx.Done():
			return w.ended(ctx.Err())
		}
	}
}
