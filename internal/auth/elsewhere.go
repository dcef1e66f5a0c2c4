package auth

import (
	"errors"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/door"
)

// redirect answers a player who has proved to be one, and whose character was last in a zone that is served elsewhere.
func (p *Pool) redirect(j *job) {
	if address, elsewhere := p.cfg.Zones(j.account.Zone); elsewhere {
		p.fail(j, &rushgate.Refusal{Reason: rushgate.WrongZone, Address: address})
	}
}

// misplaced deals with a player whose character has moved to a zone that is served elsewhere after the account was
// loaded: the lease is given back, with the character as the store has it, and the player is sent there. It returns
// false if there is no such thing. A lease that has been held for longer belongs to a session, which is not touched.
func (p *Pool) misplaced(j *job, r rushgate.Admitted) bool {
	address, elsewhere := p.cfg.Zones(r.Character.Zone)
	if !elsewhere || r.Resumed {
		return false
	}
	ctx, cancel := storeContext()
	defer cancel()
	errs, err := p.cfg.Store.Save(ctx, []rushgate.Save{{Character: r.Character, Fence: r.Lease.Fence, Release: true}})
	if err == nil {
		err = errors.Join(errs...)
	}
	if err != nil { // the lease runs out by itself, only later
		p.cfg.Logger.Warn("auth: lease not released", "player", r.Lease.Player, "error", err)
	}
	p.fail(j, &rushgate.Refusal{Reason: rushgate.WrongZone, Address: address})
	return true
}

// takingOver turns a refusal because of a session elsewhere into one for a moment, if the request has asked for the end
// of that session.
func (p *Pool) takingOver(j *job, err error) error {
	if j.Takeover && errors.Is(err, rushgate.AlreadyLoggedIn) {
		return p.busy(door.UnderWay, nil)
	}
	return err
}
