package auth

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime/debug"

	"github.com/rushgate/rushgate"
)

// askPolicy returns nil if the policy lets a request go on, or if there is none. Otherwise it counts the request as
// refused and returns an error with a reason.
func (p *Pool) askPolicy(r Request) error {
	err := p.consult(r)
	if err != nil {
		p.metrics.of(r.Kind).refused.Add(1)
	}
	return err
}

// MayTake returns nil if the policy lets a player who is inside, at an address, have another name, or if there is none,
// and otherwise an error with a reason.
func (p *Pool) MayTake(addr netip.Addr, name string) error {
	return p.consult(Request{Kind: Rename, Addr: addr, Username: name})
}

// mayBeCalled asks the policy about the name of a job whose account is about to be made. One that a provider has
// proposed is replaced by one by chance if the policy refuses it: the job is to be judged again then, and the policy is
// asked about that one, too. What it says of a name by chance stands.
func (p *Pool) mayBeCalled(j *job) (again bool, err error) {
	i := &j.identity
	if i.allowed == j.Username {
		return false, nil
	}
	if err = p.consult(j.Request); err == nil {
		i.allowed = j.Username
		return false, nil
	}
	if i.proposed && rushgate.ReasonOf(err) != rushgate.InternalError {
		i.byChance = true
		return true, nil
	}
	i.forbidden = true
	return false, err
}

// consult asks the policy. A policy that fails is our fault and never the player's.
func (p *Pool) consult(r Request) (err error) {
	if p.cfg.Policy == nil {
		return nil
	}
	defer func() {
		if v := recover(); v != nil {
			p.cfg.Logger.Error("policy panicked", "type", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
			err = rushgate.InternalError
		}
	}()
	err = p.cfg.Policy(r)
	var reason rushgate.Reason
	if err != nil && !errors.As(err, &reason) {
		p.cfg.Logger.Error("policy failed", "username", r.Username, "error", err)
		return &rushgate.Refusal{Reason: rushgate.InternalError, Cause: err}
	}
	if refusal, ok := errors.AsType[*rushgate.Refusal](err); ok && refusal.Cause != nil {
		p.cfg.Logger.Info("refused by the policy", "username", r.Username, "reason", reason, "because", refusal.Cause)
	}
	return err
}
