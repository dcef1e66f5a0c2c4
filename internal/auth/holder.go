package auth

import (
	"context"
	"errors"

	"github.com/rushgate/rushgate"
)

// Holder is what is known of an instance that holds a player.
type Holder struct {
	// Address is where players reach it, host:port; empty if that is not known.
	Address string
	// Gone reports that it is known to be gone, so that its leases are worth nothing.
	Gone bool
}

// admitAll makes the admissions of jobs that have been prepared. Those that are refused because of an instance that is
// gone are made again without regard to that, and so are those for whose sessions it has to be asked where players
// reach the node that has them, which the first answer tells.
func (p *Pool) admitAll(ctx context.Context, jobs []*job) ([]rushgate.Admitted, error) {
	admissions := make([]rushgate.Admission, len(jobs))
	for i, j := range jobs {
		admissions[i] = j.admission
	}
	results, err := p.admit(ctx, admissions)
	if err != nil {
		return nil, err
	}
	var at []int
	var again []rushgate.Admission
	for i, j := range jobs {
		if errors.Is(results[i].Err, rushgate.AlreadyLoggedIn) && p.insist(j, results[i].Holder) {
			at, again = append(at, i), append(again, j.admission)
		}
	}
	if len(again) == 0 {
		return results, nil
	}
	others, err := p.admit(ctx, again)
	if err != nil {
		return nil, err
	}
	for k, i := range at {
		results[i] = others[k]
	}
	return results, nil
}

// insist reports whether a job whose player another has is to be tried again, and changes its admission for that. No
// other node is asked for a player for whom there is no place here: that job is refused.
func (p *Pool) insist(j *job, holder rushgate.Instance) bool {
	h := p.cfg.Holder(holder)
	switch {
	case h.Gone:
		j.admission.Gone = holder
	case j.Kind == Continue && j.moves(h):
		if !p.seatsProven(j) {
			return false
		}
		j.admission.Takeover = true
	default:
		return false
	}
	return true
}

// moves reports whether a session that another node holds is to move here.
func (j *job) moves(h Holder) bool {
	return j.Elsewhere == Move || j.Elsewhere == MoveUnlessReachable && h.Address == ""
}

// there sends a player to the node that has its session.
func (p *Pool) there(holder rushgate.Instance) error {
	if address := p.cfg.Holder(holder).Address; address != "" {
		return &rushgate.Refusal{Reason: rushgate.WrongZone, Address: address}
	}
	return rushgate.AlreadyLoggedIn
}
