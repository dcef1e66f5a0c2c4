package auth

import (
	"context"
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
	case a.Disabled.At(time.Now()):
		p.fail(j, a.Disabled.Refusal())
	default:
		j.proved = true
		if err := p.barred(j); err != nil {
			p.fail(j, err)
			return
		}
		p.redirect(j)
	}
}

// sit gives a job whose password is right a seat in the world, if it has none yet, or answers it with a place in the
// world's line. One that could not come in anyway does not wait.
func (p *Pool) sit(j *job) {
	if !j.proved || j.answered.Load() || !j.seat.Standing() {
		return
	}
	if d := j.account.Disabled; d.At(time.Now()) {
		p.fail(j, d.Refusal())
		return
	}
	if err := j.seat.Sit(j.proven()); err != nil {
		p.fail(j, err)
	}
}
