package udpknock

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync/atomic"
	"time"
)

// DefaultAnswers is how many messages an [Answerer] sends in a second at most, unless Config says otherwise.
const DefaultAnswers = 50_000

// burst is for how long an Answerer saves what it might have sent, for the datagrams that gather while nothing reads.
const burst = 50 * time.Millisecond

// Config says what an [Answerer] answers.
type Config struct {
	// Knock is asked what to say to a client whose address is proved; IPv4 addresses have their 4-byte form. The ticket
	// is what the client brought, at most [MaxTicket] bytes of anything; it is empty if the client has none, and good
	// during the call only. A ticket that the reply is to have may be appended to dst, which is empty and has room for
	// MaxTicket bytes, or be the client's own.
	//
	// It is called on the goroutine that reads the network, and must not block. A client that repeats its knock, since
	// the answer was lost, is asked about again, and so is one whose datagram the network or an attacker on the way
	// repeated, for as long as the cookie is good. The zero Reply says nothing, and takes nothing from what may be said
	// to others: it is for an origin that asks too much. A reply that [AppendAnswer] would not append is not sent.
	Knock func(dst []byte, from netip.Addr, holder Holder, ticket []byte) Reply

	// AnswersPerSecond bounds what is sent, and so the CPU time that knocks take from the rest of the node: a quarter is
	// for cookies, the rest for clients whose address is proved, so that those who cannot prove theirs do not keep the
	// others out. What comes beyond is dropped. 0 means [DefaultAnswers].
	AnswersPerSecond int

	// Now tells the time; nil means [time.Now].
	Now func() time.Time

	// Rand is where the keys of cookies are read from; nil means crypto/rand.Reader.
	Rand io.Reader
}

// Answerer answers knocks. It keeps nothing of a client. One goroutine at a time, but for Stats.
type Answerer struct {
	cfg              Config
	oven             *oven
	unproved, proved budget
	ticket           [MaxTicket]byte // room for the one that is being issued
	reply            Reply           // the one at hand
	counts           struct{ knocks, cookies, answers, overBudget, silent, unsendable, ignored atomic.Uint64 }
}

// NewAnswerer returns an Answerer. The error says what is wrong with the configuration, or that there is no randomness.
func NewAnswerer(cfg Config) (*Answerer, error) {
	switch {
	case cfg.Knock == nil:
		return nil, errors.New("udpknock: Config.Knock is nil, and decides what to answer")
	case cfg.AnswersPerSecond < 0:
		return nil, fmt.Errorf("udpknock: %d answers in a second", cfg.AnswersPerSecond)
	case cfg.AnswersPerSecond == 0:
		cfg.AnswersPerSecond = DefaultAnswers
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	now := cfg.Now()
	o, err := newOven(cfg.Rand, now)
	if err != nil {
		return nil, err
	}
	quarter := float64(cfg.AnswersPerSecond) / 4
	return &Answerer{cfg: cfg, oven: o, unproved: newBudget(quarter, now), proved: newBudget(3*quarter, now)}, nil
}

// Answer appends the answer to a datagram, if there is one: of fewer bytes than the datagram has. It is made for
// ServerConfig.Other of package netcode, and allocates nothing.
func (a *Answerer) Answer(dst []byte, from netip.AddrPort, datagram []byte) []byte {
	k, ok := ParseKnock(datagram)
	if !ok {
		a.counts.ignored.Add(1)
		return dst
	}
	a.counts.knocks.Add(1)
	now := a.cfg.Now()
	a.oven.tell(now)
	a.proved.tell(now)
	a.unproved.tell(now)
	if k.Cookie != (Cookie{}) {
		if !a.proved.left() { // a cookie is looked at only while there is something to be had for it
			return a.drop(dst)
		}
		if a.oven.knows(&k.Cookie, from, k.Holder) {
			return a.answer(dst, from, &k)
		}
	}
	if !a.unproved.left() {
		return a.drop(dst)
	}
	a.unproved.spend()
	a.counts.cookies.Add(1)
	return AppendCookie(dst, k.Nonce, a.oven.bake(from, k.Holder))
}

// drop counts a knock that is too many.
func (a *Answerer) drop(dst []byte) []byte {
	a.counts.overBudget.Add(1)
	return dst
}

// answer asks what to say to a client whose address is proved, and appends it.
func (a *Answerer) answer(dst []byte, from netip.AddrPort, k *Knock) []byte {
	a.reply = a.cfg.Knock(a.ticket[:0], from.Addr().Unmap(), k.Holder, k.Ticket)
	if a.reply.Verdict == 0 {
		a.counts.silent.Add(1)
		return dst
	}
	before := len(dst)
	dst = AppendAnswer(dst, k.Nonce, a.oven.renew(k.Cookie, from, k.Holder), &a.reply)
	a.reply.Ticket = nil // which may be a part of the datagram
	if len(dst) == before {
		a.counts.unsendable.Add(1)
		return dst
	}
	a.proved.spend()
	a.counts.answers.Add(1)
	return dst
}

// Stats counts from the start.
type Stats struct {
	Knocks     uint64 `json:"knocks"`      // well-formed, whatever became of them
	Cookies    uint64 `json:"cookies"`     // sent to clients who had none that is good
	Answers    uint64 `json:"answers"`     // sent to clients whose address is proved
	OverBudget uint64 `json:"over_budget"` // knocks dropped, since too many came
	Silent     uint64 `json:"silent"`      // knocks that Config.Knock wanted no answer to
	Unsendable uint64 `json:"unsendable"`  // replies of Config.Knock that no message can carry
	Ignored    uint64 `json:"ignored"`     // datagrams that are no knock of this version
}

// Stats returns the counters. Any goroutine may call it.
func (a *Answerer) Stats() Stats {
	c := &a.counts
	return Stats{
		Knocks: c.knocks.Load(), Cookies: c.cookies.Load(), Answers: c.answers.Load(),
		OverBudget: c.overBudget.Load(), Silent: c.silent.Load(), Unsendable: c.unsendable.Load(), Ignored: c.ignored.Load(),
	}
}

// budget is what may be sent: so much in a second, and no more than the burst at once.
type budget struct {
	perSecond, most, have float64
	at                    time.Time
}

func newBudget(perSecond float64, now time.Time) budget {
	most := max(1, perSecond*burst.Seconds())
	return budget{perSecond: perSecond, most: most, have: most, at: now}
}

// tell adds what the time until now has brought. A clock that jumps back brings nothing, and takes nothing.
func (b *budget) tell(now time.Time) {
	b.have = min(b.most, b.have+max(0, now.Sub(b.at).Seconds())*b.perSecond)
	b.at = now
}

func (b *budget) left() bool { return b.have >= 1 }

func (b *budget) spend() { b.have-- }
