package auth

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/metric"
	"github.com/rushgate/rushgate/internal/passkey"
	"github.com/rushgate/rushgate/internal/token"
)

// Passkey lets a player in by the [Request].Assertion of a passkey, whatever its kind says; names and passwords are not
// looked at. It stands for the password and for a second factor. It needs no hash, and is served in the lane of
// requests with tokens. Errors are as for [Pool.Submit]: all that are not good, and those of no account, are answered
// alike, [rushgate.BadCredentials].
func (p *Pool) Passkey(ctx context.Context, r Request) (Welcome, error) {
	if p.cfg.Passkeys == nil || r.Assertion == nil {
		return Welcome{}, rushgate.MissingCredentials
	}
	// Which name the account has is for the store to say, and whose it is for the signature. Until then the door counts
	// by what can be no name.
	r.Kind, r.Username, r.Imported = Passkey, "", ""
	if err := p.askPolicy(r); err != nil {
		return Welcome{}, err
	}
	r.Username = fmt.Sprintf("passkey of player %d", r.Assertion.Player())
	return p.show(ctx, r)
}

// nameOwners finds out, in one call of the store, to which accounts the passkeys and the identities of a batch claim to
// belong. Passkeys of which it finds nothing are looked for by a name that none has, so that they take no other time;
// an identity of which it finds nothing is nobody's.
func (p *Pool) nameOwners(ctx context.Context, jobs []*job) error {
	if err := p.findIdentities(ctx, jobs); err != nil {
		return err
	}
	var unnamed []*job
	var players []rushgate.PlayerID
	for _, j := range jobs {
		switch owner := j.ownerOf(); {
		case j.Kind != Passkey && j.Kind != Identity, j.named, j.answered.Load():
		case owner == 0 && j.Kind == Identity:
			j.callIt()
		default:
			unnamed, players = append(unnamed, j), append(players, owner)
		}
	}
	if len(unnamed) == 0 {
		return nil
	}
	names, err := p.cfg.Store.PlayerNames(ctx, players)
	if err == nil && len(names) != len(players) {
		err = fmt.Errorf("%d names for %d players", len(names), len(players))
	}
	if err != nil {
		return err
	}
	for i, j := range unnamed {
		j.named = true
		switch {
		case names[i] != "":
			j.Username = names[i]
		case j.Kind == Identity:
			j.callIt()
		}
	}
	return nil
}

// judgePasskey prepares the admission of a player whose passkey is good. It looks at one signature in any case.
func (p *Pool) judgePasskey(j *job) {
	var credentials []rushgate.Credential
	if j.account.ID == j.Assertion.Player() {
		credentials = j.account.Credentials
	}
	runtime.Gosched() // one signature takes as long as the tick may have to wait
	verdict, after := p.cfg.Passkeys.Check(credentials, j.Assertion, j.attempt, time.Now())
	p.metrics.passkeys[verdict].Add(1)
	if verdict == passkey.Cloned {
		p.cfg.Logger.Warn("a passkey's counter has not gone on: it may have been copied, and lets nobody in",
			"player", j.account.ID)
	}
	if verdict == passkey.Wrong || verdict == passkey.Cloned {
		j.refuse(rushgate.BadCredentials)
		return
	}
	j.proved, j.credentials = true, after
	j.seat.Identify(j.Username)
	if err := p.takeSeat(j); err != nil {
		j.refuseFor(err)
		return
	}
	if j.session == (token.Session{}) {
		j.session = p.unsettled.sessionFor(j.account.Username, j)
	}
	j.admission = rushgate.Admission{
		Account: j.account, Attempt: j.attempt, Session: j.session.Hash(), Takeover: j.Takeover, Credentials: after,
	}
	p.remember(j)
}

// writePasskeys tells of passkeys.
func (p *Pool) writePasskeys(out metric.Scrape) {
	for verdict, name := range map[passkey.Verdict]string{
		passkey.Wrong: "wrong", passkey.Cloned: "cloned", passkey.Good: "good", passkey.Repeated: "repeated",
	} {
		out.Counter("rushgate_passkeys_total", "Passkeys shown to come in, by what they were.",
			float64(p.metrics.passkeys[verdict].Load()), "verdict", name)
	}
}
