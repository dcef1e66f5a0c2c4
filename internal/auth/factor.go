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

// useUp writes at once that a job's code or passkey is used up, whose player waits for the world: the proof that is
// given for that brings the player in without it, and another must not get one for the same. It answers a job for which
// that fails. All other jobs write it with their admission.
func (p *Pool) useUp(j *job) {
	ctx, cancel := storeContext()
	defer cancel()
	errs, err := p.cfg.Store.UpdateAccounts(ctx, []rushgate.AccountChange{{
		Player: j.account.ID, Name: j.account.Username, Epoch: j.account.Epoch,
		Credentials: j.credentials, Replaces: j.account.Credentials,
	}})
	if err == nil && len(errs) != 1 {
		err = fmt.Errorf("%d results for one change", len(errs))
	}
	switch {
	case err != nil:
		p.storeFailed([]*job{j}, "second factor", err)
	case errors.Is(errs[0], rushgate.ErrAccountChanged):
		p.fail(j, p.busy(door.UnderWay, nil))
	case errs[0] != nil:
		p.fail(j, fmt.Errorf("auth: second factor: %w", errs[0]))
	default:
		j.account.Credentials, j.credentials = j.credentials, nil
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
