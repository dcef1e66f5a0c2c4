package auth

import (
	"errors"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/door"
)

// elsewhere returns the refusal of a player whose character was last in a zone that is served elsewhere, or nil.
func (p *Pool) elsewhere(j *job) error {
	if address, elsewhere := p.cfg.Zones(j.account.Zone); elsewhere {
		return &rushgate.Refusal{Reason: rushgate.WrongZone, Address: address}
	}
	return nil
}

// misplaced deals with a player whose character has moved to a zone that is served elsewhere after the account was
// loaded: the lease is given back, with the character as the store has it, and the player is sent there. It returns
// false if there is no such thing. A lease that has been held for longer belongs to a session, which is not touched.
func (p *Pool) misplaced(j *job, r rushgate.Admitted) bool {
	address, elsewhere := p.cfg.Zones(r.Character.Zone)
	if !elsewhere || r.Resumed {
		return false
	}
	var resumable time.Duration
	if j.Kind == Continue { // it can go on there
		resumable = p.cfg.Grace
	}
	p.letGo(resumable, r)
	p.fail(j, &rushgate.Refusal{Reason: rushgate.WrongZone, Address: address})
	return true
}

// letGo gives the leases of players back who do not come in here, with the characters as the store has them.
func (p *Pool) letGo(resumable time.Duration, admitted ...rushgate.Admitted) {
	if len(admitted) == 0 {
		return
	}
	ctx, cancel := storeContext()
	defer cancel()
	saves := make([]rushgate.Save, len(admitted))
	for i, r := range admitted {
		saves[i] = rushgate.Save{Character: r.Character, Fence: r.Lease.Fence, Release: true, Resumable: resumable}
	}
	errs, err := p.cfg.Store.Save(ctx, saves)
	if err == nil {
		err = errors.Join(errs...)
	}
	if err != nil { // the leases run out by themselves, only later
		p.cfg.Logger.Warn("auth: leases not released", "players", len(admitted), "error", err)
	}
}

// errContinueIgnored is for a store that has admitted a player to go on with a session, and does not say with which: it
// knows nothing of sessions that go on, and a token that has been made up would let its holder in.
var errContinueIgnored = errors.New("auth: the store does not know sessions that go on")

// takingOver turns a refusal because of a session elsewhere into one for a moment, if the request has asked for the end
// of that session.
func (p *Pool) takingOver(j *job, err error) error {
	if j.Takeover && errors.Is(err, rushgate.AlreadyLoggedIn) {
		return p.busy(door.UnderWay, nil)
	}
	return err
}
