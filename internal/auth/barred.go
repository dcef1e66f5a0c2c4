package auth

import (
	"errors"
	"fmt"
	"time"
)

// ErrNoRegistration is with an account-disabled for who has no account yet: registrations from the range or device are
// refused.
var ErrNoRegistration = errors.New("auth: registrations are refused from there")

// mayRegister refuses a registration from a range or device that is banned, before anything is done for it. It tells no
// more than that of every account there.
func (p *Pool) mayRegister(r *Request) error {
	if r.Kind != Register && r.Kind != FinishRegister {
		return nil
	}
	return p.mayFound(r)
}

// mayFound returns why no account is made for a request that comes from a range or device that is banned, or nil.
func (p *Pool) mayFound(r *Request) error {
	b := p.cfg.Access.Rules().Banned(r.Addr, r.Device, "", time.Now())
	if b == nil {
		return nil
	}
	p.metrics.refused.Add(1)
	return fmt.Errorf("%w: %w", ErrNoRegistration, p.cfg.Access.Refuse(b))
}

// barred returns why a job whose player has proved to own the account is not let in: the mode has changed while it
// waited, or it comes from a range or a device that is banned. Only such a player is told, as of a ban of the account.
func (p *Pool) barred(j *job) error {
	if err := p.cfg.Door.Barred(j.Username); err != nil {
		return err
	}
	name := j.account.Username
	if name == "" {
		name = j.Username
	}
	if b := p.cfg.Access.Rules().Banned(j.Addr, j.Device, name, time.Now()); b != nil {
		return p.cfg.Access.Refuse(b)
	}
	return nil
}
