package auth

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/internal/opaque"
	"github.com/rushgate/rushgate/internal/opaquerecord"
)

const (
	// BeginBatchMax is the most requests that begin a proof which are served at once.
	BeginBatchMax = 16
	// beginStep is what the time until a client hears the answer is a multiple of, but for chance of up to as much, see
	// refusalStep. It is shorter than that one: a client that is right waits for it, too.
	beginStep = 2 * time.Millisecond
)

// ErrNoOpaque refuses what takes OPAQUE on a node that has it switched off.
var ErrNoOpaque = errors.New("auth: OPAQUE is switched off here")

// Opaque is what a client sends for OPAQUE.
type Opaque struct {
	// Message is KE1, the request of a registration, KE3 or the upload. It may be a secret.
	Message []byte
	// State is what the beginning was answered with, of those that finish.
	State []byte
	// For is what a registration is for, see [opaquerecord.Identifier.Of].
	For string
}

// Begun is what a client is answered that begins a proof or a registration.
type Begun struct {
	// Message is KE2, or the response of a registration; State is to come back with what the client makes of it, within
	// Life.
	Message, State []byte
	Life           time.Duration
}

// begins reports whether requests of the kind begin what others finish.
func (k Kind) begins() bool { return k == BeginLogin || k == BeginConfirm || k == BeginRegister }

// finishes reports whether requests of the kind finish what others began.
func (k Kind) finishes() bool { return k >= FinishLogin && k <= FinishRegister }

// refusedOpaque is a [rushgate.MissingCredentials] that errors of package opaque can be found in. It says nothing about
// the player.
type refusedOpaque struct{ cause error }

func (e refusedOpaque) Error() string   { return e.cause.Error() }
func (e refusedOpaque) Unwrap() []error { return []error{rushgate.MissingCredentials, e.cause} }

// Begin answers the beginning of a proof, [BeginLogin] or [BeginConfirm], or of a registration, [BeginRegister], by
// OPAQUE. It does not tell whether there is an account. What is begun is computed in a lane of its own, beside the
// hashes of passwords. Errors are as for [Pool.Resume], and [rushgate.MissingCredentials] with those of package opaque
// for messages that are none.
func (p *Pool) Begin(ctx context.Context, r Request) (Begun, error) {
	if p.cfg.Opaque == nil || !r.Kind.begins() {
		return Begun{}, ErrNoOpaque
	}
	if r.Username == "" || !r.sound() {
		return Begun{}, rushgate.MissingCredentials
	}
	if err := p.gate.enter(ctx); err != nil {
		return Begun{}, err
	}
	defer p.gate.exit()
	if r.Kind == BeginLogin || r.Kind == BeginRegister && r.Player == 0 {
		if err := p.askPolicy(r); err != nil {
			return Begun{}, err
		}
	}
	seat, err := p.cfg.Door.Begin(r.knock())
	if err != nil {
		p.countRefusal(r.Kind, err)
		return Begun{}, err
	}
	request := &pending{Request: r, seat: seat, ctx: ctx}
	_, err = p.await(request, p.beginnings)
	if err != nil {
		return Begun{}, err
	}
	return request.begun, nil
}

// workBeginnings is a worker of the lane of those who begin. As that of tokens it yields to the tick after each, and
// rests after a batch while passwords wait.
func (p *Pool) workBeginnings() {
	p.workBeside(p.beginnings, door.Beginnings, BeginBatchMax, func(batch []*pending) int {
		served := p.serveBeginnings(batch)
		p.logLockouts(p.cfg.Door.Lapsed())
		return served
	})
}

// serveBeginnings takes a batch to its answers, and returns how many were computed.
func (p *Pool) serveBeginnings(batch []*pending) int {
	m := &p.metrics.opaque
	jobs := p.jobsOf(batch)
	if len(jobs) == 0 {
		return 0
	}
	m.begin.countBatch(len(jobs))
	p.run("begin", jobs, p.begin, m.duration.Record)
	return len(jobs)
}

// begin loads the accounts of a batch in one call of the store, whatever the requests are for, and answers them.
func (p *Pool) begin(jobs []*job) {
	ctx, cancel := storeContext()
	defer cancel()
	accounts, err := p.find(ctx, jobs)
	if err != nil {
		p.storeFailed(jobs, "load", err)
		return
	}
	for i, j := range jobs {
		runtime.Gosched()
		switch {
		case j.answered.Load() || j.answering:
		case p.hurrying.Err() != nil:
			p.turnAway(j.pending)
		case accounts[i].Err != nil:
			p.fail(j, fmt.Errorf("auth: load: %w", accounts[i].Err))
		default:
			j.account = accounts[i].Account
			p.beginOne(j)
		}
	}
}

// beginOne computes the answer of a job.
func (p *Pool) beginOne(j *job) {
	begun := Begun{Life: p.cfg.Opaque.Life()}
	var err error
	if j.Kind == BeginRegister {
		id := opaquerecord.NewIdentifier(chance(), j.Opaque.For)
		begun.Message, begun.State, err = p.cfg.Opaque.RegisterStart(string(id), j.Opaque.Message)
	} else {
		begun.Message, begun.State, err = p.beginLogin(j)
	}
	switch id, ok := opaque.StateIDOf(begun.State); {
	case errors.Is(err, opaque.ErrMalformed):
		p.fail(j, refusedOpaque{err})
	case err != nil || !ok:
		p.fail(j, fmt.Errorf("auth: opaque: %w", err))
	default:
		if j.Kind == BeginRegister {
			j.seat.Close(door.NotJudged)
		} else {
			j.seat.Keep(door.TryID(id), j.account.ID != 0, time.Now().Add(begun.Life))
		}
		p.answerBegun(j, begun)
	}
}

// beginLogin computes KE2. A name without an account, or whose account has no record, is answered as one that has.
func (p *Pool) beginLogin(j *job) (ke2, state []byte, err error) {
	purpose := opaque.PurposeLogin
	if j.Kind == BeginConfirm {
		purpose = opaque.PurposeConfirm
	}
	id, record := opaquerecord.FakeIdentifier(j.Username), (*opaque.Record)(nil)
	if proof, ok := opaquerecord.Of(j.account.Credentials); ok {
		id, record = proof.Identifier, &proof.Record
	}
	ke2, state, err = p.cfg.Opaque.LoginStart(string(id), record, j.Opaque.Message, purpose)
	if record != nil && (errors.Is(err, opaque.ErrUnknownKey) || errors.Is(err, opaque.ErrBadRecord)) {
		p.cfg.Logger.Error("a player's OPAQUE record is of no use here", "player", j.account.ID, "error", err)
		return p.cfg.Opaque.LoginStart(string(opaquerecord.FakeIdentifier(j.Username)), nil, j.Opaque.Message, purpose)
	}
	return ke2, state, err
}

// answerBegun answers a job in a moment that does not depend on how long that took, see beginStep.
func (p *Pool) answerBegun(j *job, begun Begun) {
	j.answering = true
	took := time.Since(j.enqueued)
	p.telling.Add(1)
	time.AfterFunc(took.Truncate(beginStep)+beginStep-took+rand.N(beginStep), func() {
		defer p.telling.Done()
		if !j.claim() {
			return
		}
		t := p.metrics.of(j.Kind)
		t.processed.Add(1)
		t.success.Add(1)
		j.begun = begun
		j.reply(Welcome{}, nil)
	})
}
