package auth

import (
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/rushgate/rushgate"
)

// askPolicy returns nil if the policy lets a request go on, or if there is none. Otherwise it counts the request as
// refused and returns an error with a reason. A policy that fails is our fault and never the player's.
func (p *Pool) askPolicy(r Request) (err error) {
	if p.cfg.Policy == nil {
		return nil
	}
	defer func() {
		if v := recover(); v != nil {
			p.cfg.Logger.Error("policy panicked", "type", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
			err = rushgate.InternalError
		}
		if err != nil {
			p.metrics.of(r.Kind).refused.Add(1)
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
