package auth

import (
	"context"
	"errors"
	"time"

	"github.com/rushgate/rushgate"
)

// Enter lets in a player who has waited for the world with a ticket and a proof, and needs no password. Until it is the
// player's turn the error is a [rushgate.Refusal] that says where it stands, which costs neither the store nor a hash;
// [rushgate.BadCredentials] says that the player has to log in again. Otherwise it is as [Pool.Submit].
func (p *Pool) Enter(ctx context.Context, r Request) (Welcome, error) {
	if err := p.gate.enter(ctx); err != nil {
		return Welcome{}, err
	}
	defer p.gate.exit()
	pass, err := p.cfg.Door.Recognise(r.Holder, r.Ticket, r.Proof)
	if err != nil {
		p.countRefusal(Enter, err)
		return Welcome{}, err
	}
	r.Kind, r.Username, r.Imported = Enter, pass.Proof.Name, pass.Proof.Imported
	if err := p.askPolicy(r); err != nil {
		return Welcome{}, err
	}
	seat, err := p.cfg.Door.Enter(r.knock(), pass)
	if err != nil {
		p.countRefusal(Enter, err)
		return Welcome{}, err
	}
	r.Takeover = seat.Takeover()
	return p.await(&pending{Request: r, seat: seat, proof: pass.Proof, ctx: ctx}, p.queue)
}

// recognise takes the proof of a player who has waited for the world as good if the account is still the one that was
// proved, under the same epoch.
func (p *Pool) recognise(j *job) {
	a := &j.account
	switch {
	case uint64(a.ID) != j.proof.Player || a.Epoch != j.proof.Epoch || a.ID == 0:
		p.fail(j, rushgate.BadCredentials)
	default:
		j.proved = true
		if err := p.mayEnter(j); err != nil {
			p.fail(j, err)
		}
	}
}

// sit gives a job whose password is right a seat in the world, if it has none yet, or answers it with why there is
// none. A registration needs none before it has a player.
func (p *Pool) sit(j *job) {
	j.proved = j.hash.Match
	take := p.takeSeat
	if !j.proved {
		take = p.mayEnter
	}
	err := take(j)
	switch {
	case err == nil:
	case j.usesUp():
		j.refusal = err
	default:
		p.fail(j, err)
	}
}

// takeSeat gives a job whose player has proved to own the account a seat in the world, if it has none yet. Its error
// says why the player does not come in: one who could not anyway does not wait, and uses nothing up. With a place in
// the world's line goes a proof, for which the code, the passkey or the state of a login by OPAQUE is used up: the job
// then has a change of its account, to be made before it is told the place, see [job.usesUp].
func (p *Pool) takeSeat(j *job) error {
	j.change = rushgate.AccountChange{}
	if err := p.mayEnter(j); err != nil {
		return err
	}
	err := j.seat.Sit(j.proven())
	if j.credentials != nil && waits(err) {
		j.change = rushgate.AccountChange{
			Player: j.account.ID, Name: j.account.Username, Epoch: j.account.Epoch,
			Credentials: j.credentials, Replaces: j.account.Credentials,
		}
	}
	return err
}

// mayEnter returns why a player who has proved to own the account of a job is not let in, or nil.
func (p *Pool) mayEnter(j *job) error {
	if d := j.account.Disabled; d.At(time.Now()) {
		return d.Refusal()
	}
	if err := p.barred(j); err != nil {
		return err
	}
	return p.elsewhere(j)
}

// waits reports whether a refusal has a place in a line.
func waits(err error) bool {
	refusal, ok := errors.AsType[*rushgate.Refusal](err)
	return ok && refusal.Place.Number > 0
}
