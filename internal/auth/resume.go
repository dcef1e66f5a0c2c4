package auth

import (
	"context"
	"errors"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/internal/token"
)

// Welcome is what a player gets who is let in.
type Welcome struct {
	rushgate.Session
	// ResumeToken lets the player in again from a device that the account is remembered on; empty if the request did not
	// ask for that, or if no devices are remembered here. It is a secret.
	ResumeToken string
	// Credentials are what proves the account beside its password, as they were when it was loaded.
	Credentials []rushgate.Credential
	// SessionProof, of a login by OPAQUE, tells the client that the token of the session comes from the server that knows
	// the account, see [opaque.SessionKey.Bind], in base64url; empty for all others.
	SessionProof string
}

// Elsewhere is what a [Continue] wants of a session that another node holds.
type Elsewhere uint8

// What a [Continue] can want of such a session.
const (
	// Leave: it stays there. The client is sent to that node.
	Leave Elsewhere = iota
	// MoveUnlessReachable: as Leave, but if it is not known where players reach that node, the session moves here.
	MoveUnlessReachable
	// Move: it moves here.
	Move
)

// Resume lets a player in by the [Request].ResumeToken of a remembered device, or goes on with the session of its
// [Request].SessionToken, whatever its kind says. Neither needs a hash: they are served in a lane of their own. Names
// and passwords are not looked at.
//
// A session that goes on keeps its token. If another node holds it, the error is a [rushgate.Refusal] with
// [rushgate.WrongZone] and that node's address, or [rushgate.AlreadyLoggedIn] if that is not known, unless
// [Request].Elsewhere has it move here; then it is [rushgate.ServerBusy] until the other node has let the player go.
// All tokens that are not good, for whatever cause, are answered alike: [rushgate.BadCredentials].
func (p *Pool) Resume(ctx context.Context, r Request) (Welcome, error) {
	if r.SessionToken != (token.Session{}) {
		r.Kind, r.Username = Continue, r.SessionToken.Name()
	} else {
		r.Kind, r.Username = Resume, r.ResumeToken.Name()
	}
	r.Imported = ""
	if err := p.askPolicy(r); err != nil {
		return Welcome{}, err
	}
	return p.show(ctx, r)
}

// Forget has the account forget the device of a [Request].ResumeToken. It is no error if there is none: after it there
// is none in any case.
func (p *Pool) Forget(ctx context.Context, r Request) error {
	r.Kind, r.Username, r.Imported = Forget, r.ResumeToken.Name(), ""
	_, err := p.show(ctx, r)
	if errors.Is(err, rushgate.BadCredentials) {
		return nil
	}
	return err
}

// show queues a request with a token, if the door has a seat for it, and waits for the answer.
func (p *Pool) show(ctx context.Context, r Request) (Welcome, error) {
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
	return p.await(&pending{Request: r, seat: seat, ctx: ctx}, p.lane)
}

// judgeToken says what becomes of a job of the lane, whose account is loaded: an admission or a change of the account
// is made, or the job is refused.
func (p *Pool) judgeToken(ctx context.Context, j *job) {
	a := &j.account
	j.admission, j.change, j.refusal = rushgate.Admission{}, rushgate.AccountChange{}, nil
	j.again, j.identity.founds, j.identity.waits = false, false, false
	switch {
	case j.Kind.finishes():
		p.judgeFinish(ctx, j)
	case j.Kind == Continue:
		p.judgeSession(j)
	case j.Kind == Passkey:
		p.judgePasskey(j)
	case j.Kind == Identity:
		p.judgeIdentity(j)
	case a.ID == 0:
		j.refuse(rushgate.BadCredentials)
	case j.Kind == Forget:
		p.judgeForget(j)
	case j.Kind == Reenter:
		p.judgeReentry(j)
	default:
		p.judgeResume(j)
	}
}

// judgeSession prepares the admission of a session that is to go on. Whether there is one is for the store to say, and
// until it has, nothing is done for the player whom the token names: it may have been made up. The store is asked about
// names of no account, too, so that these take no other time.
func (p *Pool) judgeSession(j *job) {
	account := j.account
	if account.ID == 0 {
		account = rushgate.Account{Username: j.Username}
	}
	j.session = j.SessionToken
	j.admission = rushgate.Admission{
		Account: account, Attempt: j.attempt, Session: j.session.Hash(), Continue: true, Grace: p.cfg.Grace,
	}
}

// judgeForget prepares the change that ends a device.
func (p *Pool) judgeForget(j *job) {
	devices, ok := forget(j.account.Devices.List, j.ResumeToken, p.usage(j))
	if !ok {
		j.refuse(rushgate.BadCredentials)
		return
	}
	j.proved = true
	j.change = j.changeDevices(devices)
}

// judgeResume prepares what is to be done about the token of a device.
func (p *Pool) judgeResume(j *job) {
	u := p.usage(j)
	switch shown := present(j.account.Devices.List, j.ResumeToken, u); {
	case shown.verdict == reused:
		j.change = j.changeDevices(shown.devices)
		j.change.EndAttempt = shown.attempt
		j.refuse(rushgate.BadCredentials)
	case shown.verdict == over, shown.verdict != notKnown && forgetsDevices(&j.account):
		j.once = true
		j.refuse(rushgate.BadCredentials)
	case shown.verdict == notKnown || p.cfg.Remember == 0:
		j.refuse(rushgate.BadCredentials)
	default:
		j.proved = true
		if err := p.takeSeat(j); err != nil {
			j.refuseFor(err)
			return
		}
		if j.session == (token.Session{}) {
			j.session = p.unsettled.sessionFor(j.account.Username, j)
		}
		j.device = shown.next
		j.admission = rushgate.Admission{
			Account: j.account, Attempt: j.attempt, Session: j.session.Hash(), Devices: shown.devices, Takeover: j.Takeover,
		}
	}
}

// changeDevices is the change that leaves a job's account with these devices.
func (j *job) changeDevices(devices []rushgate.Device) rushgate.AccountChange {
	return rushgate.AccountChange{
		Player: j.account.ID, Name: j.account.Username, Epoch: j.account.Epoch,
		Devices: devices, DevicesRevision: j.account.Devices.Revision,
	}
}

// refuse notes that a job's token is not good. It is told together with the others of its batch: when that is must not
// depend on what the token is.
func (j *job) refuse(err error) { j.refusal, j.wrong = err, !j.once }

// refuseFor notes a refusal that says nothing about the token.
func (j *job) refuseFor(err error) { j.refusal, j.wrong = err, false }

// proven is the job's account, as a seat in the world is given to it.
func (j *job) proven() door.Proven {
	return door.Proven{
		Player: uint64(j.account.ID), Epoch: j.account.Epoch, Name: j.Username, Imported: j.Imported,
	}
}
