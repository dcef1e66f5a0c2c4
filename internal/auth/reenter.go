package auth

import (
	"context"
	"errors"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/internal/line"
	"github.com/rushgate/rushgate/internal/token"
)

// Reenter opens another session for a player in place of the one that a raised epoch has ended: the account of the
// request has to be the one of its Player, under this very epoch. The caller has had the password proved. The player
// keeps the place in the world meanwhile. A repeat of the same [Request].Attempt gets the same session. Errors are as
// for [Pool.Resume]; no token is looked at.
func (p *Pool) Reenter(ctx context.Context, r Request, epoch uint64) (Welcome, error) {
	r.Kind, r.Takeover = Reenter, true
	if r.Username == "" || !r.sound() {
		return Welcome{}, rushgate.MissingCredentials
	}
	if err := p.gate.enter(ctx); err != nil {
		return Welcome{}, err
	}
	defer p.gate.exit()
	seat, err := p.cfg.Door.Resume(r.knock())
	if err != nil {
		p.countRefusal(r.Kind, err)
		return Welcome{}, err
	}
	if err := seat.Sit(door.Proven{Player: uint64(r.Player), Epoch: epoch, Name: r.Username}); err != nil {
		seat.Close(door.NotJudged)
		p.countRefusal(r.Kind, err)
		return Welcome{}, err
	}
	if err := p.leave(ctx, r.Player); err != nil {
		seat.Close(door.NotJudged)
		return Welcome{}, err
	}
	proof := line.Proof{Player: uint64(r.Player), Epoch: epoch}
	return p.await(&pending{Request: r, seat: seat, proof: proof, ctx: ctx}, p.lane)
}

// leave ends the session that a player has here, if there is one.
func (p *Pool) leave(ctx context.Context, player rushgate.PlayerID) error {
	if p.cfg.Leave == nil {
		return nil
	}
	if err := p.cfg.Leave(ctx, player); err != nil && !errors.Is(err, rushgate.BadCredentials) {
		return err
	}
	return nil
}

// judgeReentry prepares the admission of a player whose account is still the one that was proved.
func (p *Pool) judgeReentry(j *job) {
	a := &j.account
	switch {
	case uint64(a.ID) != j.proof.Player || a.Epoch != j.proof.Epoch:
		j.once = true
		j.refuse(rushgate.BadCredentials)
		return
	case a.Disabled.At(time.Now()):
		j.refuseFor(a.Disabled.Refusal())
		return
	}
	j.proved = true
	if j.session == (token.Session{}) {
		j.session = p.unsettled.sessionFor(a.Username, j)
	}
	j.admission = rushgate.Admission{
		Account: *a, Attempt: j.attempt, Session: j.session.Hash(), Takeover: true,
	}
	p.remember(j)
}
