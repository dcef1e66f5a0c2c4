package auth

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/internal/metric"
	"github.com/rushgate/rushgate/internal/secondfactor"
)

// Confirm has the password of an account proved and, if the account has one, its second factor. It changes nothing.
// Otherwise it is as [Pool.Errand].
func (p *Pool) Confirm(ctx context.Context, r Request) (secondfactor.Proved, error) {
	r.Kind, r.NewPassword = Confirm, ""
	errand, err := p.errand(ctx, r)
	if err != nil {
		return secondfactor.Proved{}, err
	}
	return errand.proven, nil
}

// asksCode reports whether the account of a job asks for a second factor, now that the password is right. So do
// errands: the session that they come from may be one that was left open on another's device, or have been opened
// before the account had a second factor.
func (j *job) asksCode() bool {
	return j.hash.Match && j.Kind != Recover && secondfactor.Of(j.account.Credentials).Active
}

// judgeCode reports whether a job may go on whose account asks for a second factor. It answers those that may not. The
// code is used up only when the player has come in, or may, see takeSeat: one who is refused for a ban, or sent to
// another node, can show it again.
func (p *Pool) judgeCode(j *job) bool {
	if j.Factor == "" {
		j.asked = true
		p.metrics.factors.asked.Add(1)
		p.fail(j, rushgate.SecondFactor)
		return false
	}
	return p.checkCode(j)
}

// checkCode looks at a job's code, and notes what the credentials of its account are to be. It answers a job whose code
// is wrong.
func (p *Pool) checkCode(j *job) bool {
	verdict, after := secondfactor.Check(j.account.Credentials, j.Factor, j.attempt, time.Now())
	p.metrics.factors.codes[verdict].Add(1)
	if j.credentials = after; verdict == secondfactor.Wrong {
		j.wrong = true
		p.fail(j, rushgate.SecondFactor)
		return false
	}
	return true
}

// usesUp reports whether a job, whose player waits for the world, has first to have it written that its code, its
// passkey or the state of its login by OPAQUE is used up: the proof that is given with the place brings the player in
// without it, and another must not get one for the same. All other jobs write it with their admission.
func (j *job) usesUp() bool { return j.change.Credentials != nil }

// useUp writes what the jobs of a batch use up, in one call of the store, and then tells them their places. Those of
// the lane are written with what else that changes, see Pool.change.
func (p *Pool) useUp(jobs []*job) {
	_, jobs = split(jobs, func(j *job) bool { return j.usesUp() && !j.answered.Load() })
	if len(jobs) == 0 {
		return
	}
	ctx, cancel := storeContext()
	defer cancel()
	errs, err := p.update(ctx, jobs)
	if err != nil {
		p.storeFailed(jobs, "second factor", err)
		return
	}
	for i, j := range jobs {
		switch err := errs[i]; {
		case errors.Is(err, rushgate.ErrAccountChanged):
			p.fail(j, p.busy(door.UnderWay, nil))
		case err != nil:
			p.fail(j, fmt.Errorf("auth: second factor: %w", err))
		default:
			p.fail(j, j.refusal)
		}
	}
}

// judgeAgain looks at the code of a job once more, whose account has other credentials than when it was loaded. It
// answers a job whose code another has used in the meantime.
func (p *Pool) judgeAgain(j *job, credentials []rushgate.Credential) bool {
	if j.credentials == nil {
		return true
	}
	j.account.Credentials = credentials
	if !p.checkCode(j) {
		return false
	}
	j.admission.Account.Credentials, j.admission.Credentials = credentials, j.credentials
	return true
}

// forgetsDevices reports whether an account remembers no devices, because it asks for its second factor each time.
func forgetsDevices(a *rushgate.Account) bool {
	return secondfactor.Of(a.Credentials).Ask == secondfactor.Always
}

// factorMetrics counts second factors.
type factorMetrics struct {
	asked atomic.Int64
	codes [secondfactor.Repeated + 1]atomic.Int64 // by verdict
}

// write tells of second factors.
func (m *factorMetrics) write(out metric.Scrape) {
	out.Counter("rushgate_second_factor_asked_total", "Players with the right password who were asked for a code.",
		float64(m.asked.Load()))
	for verdict, name := range map[secondfactor.Verdict]string{
		secondfactor.Wrong: "wrong", secondfactor.Authenticator: "authenticator", secondfactor.Recovery: "recovery",
		secondfactor.Repeated: "repeated",
	} {
		out.Counter("rushgate_second_factor_codes_total", "Codes that came with a right password, by what they were.",
			float64(m.codes[verdict].Load()), "verdict", name)
	}
}
