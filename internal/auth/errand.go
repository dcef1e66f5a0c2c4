package auth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/internal/opaquerecord"
	"github.com/rushgate/rushgate/internal/secondfactor"
	"github.com/rushgate/rushgate/internal/token"
	"github.com/rushgate/rushgate/password"
)

// Proved is an errand whose password is right, and what is to be done for it.
type Proved struct {
	secondfactor.Proved // by a password; by nothing yet of a Recover
	Kind                Kind
	NewHash             string // of [Request].NewPassword; one that no password has, with a Record
	// Record is what a [Recover] has registered by OPAQUE in place of a password; the zero Proof for none.
	Record opaquerecord.Proof
	Addr   netip.Addr // the client's
	Code   token.Code // of a [Recover], whose account need not be the player's
}

// isErrand reports whether requests of the kind are for the account, and open no session.
func (k Kind) isErrand() bool {
	return k == ChangePassword || k == Confirm || k == Recover
}

// provesPassword reports whether requests of the kind have the password that an account has.
func (k Kind) provesPassword() bool { return k == Login || k.isErrand() && k != Recover }

// errandHashes returns how many hashes a request takes that is an errand.
func (r *Request) errandHashes() int {
	n := 1
	if r.NewPassword != "" && r.Kind != Recover && !r.showsIdentity() { // which have no other password
		n++
	}
	if r.Kind.provesPassword() && r.Password != "" && r.Exact != "" {
		n++
	}
	return n
}

// Errand has an account proved, with its second factor if it has one, and done what [Config].Errands does for it, and
// returns the account as it was proved. It opens no session. Its account is the one of [Request].Player; of another,
// and of none, it is told nothing but [rushgate.BadCredentials]. The hashes are made beside those of logins, of which
// they get a small share in a rush. Errors are as for [Pool.Submit].
func (p *Pool) Errand(ctx context.Context, r Request) (rushgate.Account, error) {
	errand, err := p.errand(ctx, r)
	if err != nil {
		return rushgate.Account{}, err
	}
	return errand.proven.Account, nil
}

// errand has an errand done, and returns it.
func (p *Pool) errand(ctx context.Context, r Request) (*pending, error) {
	if !r.Kind.isErrand() || p.cfg.Errands == nil {
		return nil, errNoErrand
	}
	if err := p.gate.enter(ctx); err != nil {
		return nil, err
	}
	defer p.gate.exit()
	seat, err := p.cfg.Door.Errand(r.knock(), r.errandHashes())
	if err != nil {
		p.countRefusal(r.Kind, err)
		return nil, err
	}
	errand := &pending{Request: r, seat: seat, ctx: ctx}
	_, err = p.await(errand, p.errands)
	return errand, err
}

var errNoErrand = errors.New("auth: nothing is done for errands of this kind here")

// recoverStep is what the time until a client hears that a code is wrong is a multiple of, see refusalStep: longer than
// a store takes to note that a try is used up, which it does for accounts that were sent a code.
const recoverStep = 100 * time.Millisecond

// next waits for what a worker is to do: logins in their turns, and the errands whose turn it is among them. A worker
// that has errands in hand looks for more when it is done, so that none is left behind by those that wait here.
func (p *Pool) next() ([]*pending, error) {
	for {
		if err := p.stopping.Err(); err != nil {
			return nil, err
		}
		batch, hashes, again := p.takeErrands()
		logins, closed := p.queue.take(max(p.batch-hashes, 1))
		if batch = append(batch, logins...); len(batch) > 0 {
			return batch, nil
		}
		if closed {
			return nil, ErrQueueClosed
		}
		p.cfg.Door.Idle(door.Fast)
		var due <-chan time.Time
		if again > 0 {
			due = time.After(again)
		}
		select {
		case <-due:
		case <-p.queue.wake:
		case <-p.queue.closed:
		case <-p.errands.wake:
		case <-p.stopping.Done():
		}
	}
}

// takeErrands takes the errands whose turn it is, and returns how many hashes they need, or when to look again if it
// may be the turn of others then.
func (p *Pool) takeErrands() (batch []*pending, hashes int, again time.Duration) {
	if p.errands.Len() == 0 {
		return nil, 0, 0
	}
	p.takingErrands.Lock() // of two workers that asked the door at once, both would be given a batch
	defer p.takingErrands.Unlock()
	may, again := p.cfg.Door.Errands(p.batch)
	for hashes < may {
		some, _ := p.errands.take(1)
		if len(some) == 0 {
			break
		}
		some[0].seat.Take()
		batch, hashes = append(batch, some...), hashes+some[0].seat.ErrandHashes()
	}
	return batch, hashes, again
}

// newHashJob is what is to be derived for the password that an errand brings. It is derived together with the proof, in
// the same batch, so that how long a refusal takes does not depend on whether that is right.
func (j *job) newHashJob(to []*password.Job) []*password.Job {
	if j.NewPassword == "" || j.Kind == Recover {
		return to
	}
	j.fresh = password.New(j.NewPassword)
	j.fresh.Skip = j.skip()
	return append(to, &j.fresh)
}

// forAnother has an errand be one of no account if the account of its name is not the player's who sent it, or has no
// password.
func (j *job) forAnother() {
	if j.Kind != Recover && j.account.ID != j.Player || j.account.PasswordHash == "" {
		j.account = rushgate.Account{}
	}
}

// judgeErrand notes that the password of an errand is right, and answers it if that changes nothing.
func (p *Pool) judgeErrand(j *job) {
	if j.Kind == Recover { // whose code is looked at when there is a hash for everybody
		return
	}
	j.proved = true
	switch d := j.account.Disabled; {
	case j.NewPassword != "" && j.fresh.Err != nil:
		p.fail(j, fmt.Errorf("auth: derive for player %d: %w", j.account.ID, j.fresh.Err))
	case d.At(time.Now()):
		p.fail(j, d.Refusal())
	}
}

// settle has done what the errands of a batch are for.
func (p *Pool) settle(jobs []*job) {
	ctx, cancel := storeContext()
	defer cancel()
	open := jobs[:0:0]
	var proved []Proved
	for _, j := range jobs {
		if j.ctx.Err() != nil {
			p.expire(j.pending)
			continue
		}
		if j.Kind == Confirm {
			p.done(j)
			continue
		}
		open = append(open, j)
		proved = append(proved, Proved{
			Proved: j.shown(), Kind: j.Kind, NewHash: cmp.Or(j.fresh.Hash, j.hash.Hash), Record: j.Record, Addr: j.Addr,
			Code: j.Code,
		})
	}
	if len(open) == 0 {
		return
	}
	errs, err := p.cfg.Errands(ctx, proved)
	if err == nil && len(errs) != len(open) {
		err = fmt.Errorf("%d results for %d errands", len(errs), len(open))
	}
	if err != nil {
		p.storeFailed(open, "errands", err)
		return
	}
	for i, j := range open {
		switch err := errs[i]; {
		case err == nil:
			p.done(j)
		case errors.Is(err, rushgate.ErrAccountChanged):
			p.fail(j, p.busy(door.UnderWay, nil))
		case errors.Is(err, rushgate.BadCredentials):
			j.refuse(err)
			p.close(j, j.outcome(rushgate.BadCredentials)) // now, or the errands behind it would wait for the answer
			p.failInStep(j, recoverStep)
		default:
			p.fail(j, fmt.Errorf("auth: errand: %w", err))
		}
	}
}

// done answers an errand that is done.
func (p *Pool) done(j *job) {
	if j.claim() {
		t := p.metrics.of(j.Kind)
		t.processed.Add(1)
		t.success.Add(1)
		p.close(j, door.Right)
		j.pending.proven = j.shown()
		j.reply(Welcome{}, nil)
	}
}

// shown is a job's account, as it was proved.
func (j *job) shown() secondfactor.Proved {
	return secondfactor.Proved{Account: j.account, Credentials: j.credentials}
}
