package auth

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/internal/opaque"
	"github.com/rushgate/rushgate/internal/opaquerecord"
	"github.com/rushgate/rushgate/internal/secondfactor"
	"github.com/rushgate/rushgate/password"
)

// Finish lets a player in who has begun a login by OPAQUE, [FinishLogin], or makes an account whose registration was
// begun, [FinishRegister]. Nothing is left to be computed, so that it is served as a token is, in the lane of these:
// errors are as for [Pool.Resume], and [rushgate.MissingCredentials] with those of package opaque for states that are
// none, or no longer.
//
// A state is good once. It is good again where the client is told to try once more, or to show a second factor: for the
// same [Request].Attempt, if the account says already that it is used.
func (p *Pool) Finish(ctx context.Context, r Request) (Welcome, error) {
	if r.Kind != FinishLogin && r.Kind != FinishRegister {
		return Welcome{}, ErrNoOpaque
	}
	finished, err := p.finish(ctx, r)
	if err != nil {
		return Welcome{}, err
	}
	return finished.welcome, nil
}

// FinishProof proves the account of a player inside by OPAQUE, [FinishConfirm], with its second factor if it has
// one. It changes nothing, and is as [Pool.Confirm] otherwise.
func (p *Pool) FinishProof(ctx context.Context, r Request) (secondfactor.Proved, error) {
	if r.Kind != FinishConfirm {
		return secondfactor.Proved{}, ErrNoOpaque
	}
	finished, err := p.finish(ctx, r)
	if err != nil {
		return secondfactor.Proved{}, err
	}
	return finished.proven, nil
}

func (p *Pool) finish(ctx context.Context, r Request) (*pending, error) {
	if p.cfg.Opaque == nil {
		return nil, ErrNoOpaque
	}
	if r.Username == "" || !r.sound() {
		return nil, rushgate.MissingCredentials
	}
	if err := p.mayRegister(&r); err != nil {
		return nil, err
	}
	login, id, err := p.open(&r)
	if err != nil {
		return nil, p.ofOpaque(err)
	}
	if err := p.gate.enter(ctx); err != nil {
		return nil, err
	}
	defer p.gate.exit()
	seat, err := p.cfg.Door.Finish(r.knock(), id)
	if err != nil {
		p.countRefusal(r.Kind, err)
		return nil, err
	}
	request := &pending{Request: r, seat: seat, ctx: ctx, login: login}
	request.welcome, err = p.await(request, p.lane)
	return request, err
}

// open opens the state of a login, which takes microseconds, and returns of which try it is. That of a registration is
// of none.
func (p *Pool) open(r *Request) (*opaque.Pending, door.TryID, error) {
	purpose := opaque.PurposeConfirm
	switch r.Kind {
	case FinishRegister:
		return nil, door.TryID{}, nil
	case FinishLogin:
		purpose = opaque.PurposeLogin
	}
	login, err := p.cfg.Opaque.LoginOpen(r.Opaque.State, purpose)
	if err != nil {
		return nil, door.TryID{}, err
	}
	return login, door.TryID(login.ID), nil
}

// judgeFinish says what becomes of a job that finishes what was begun.
func (p *Pool) judgeFinish(ctx context.Context, j *job) {
	if j.Kind == FinishRegister {
		p.judgeRegistration(ctx, j)
		return
	}
	if !p.judgeLogin(j) {
		return
	}
	j.proved = true
	j.credentials = nil
	if secondfactor.Of(j.account.Credentials).Active && !p.judgeCode(j) {
		return
	}
	switch d := j.account.Disabled; {
	case j.Kind == FinishLogin:
		if p.useState(j) {
			p.letIn(ctx, j)
		}
	case d.At(time.Now()):
		j.refuseFor(d.Refusal())
	default:
		p.done(j)
	}
}

// useState has the admission of a job note in the account that the state of its login is used, and by which attempt, so
// that it is good once over all nodes, and again for an attempt that was told to try again, or not told anything. It
// refuses a job whose state another has used.
func (p *Pool) useState(j *job) bool {
	shown := j.shown()
	switch v, after := opaquerecord.Use(shown.Left(), j.login.ID, j.attempt, j.login.Expires, time.Now()); v {
	case opaquerecord.Fresh:
		j.credentials = after
	case opaquerecord.Repeated: // a code may be left to be used up
	default:
		j.once = true
		j.refuseFor(p.ofOpaque(opaque.ErrUsed))
		return false
	}
	return true
}

// judgeLogin reports whether a job's proof is that of its account, and refuses those of which it is not.
func (p *Pool) judgeLogin(j *job) bool {
	if !j.opened { // else its account was changed meanwhile, or the batch is served once more
		var record *opaque.Record
		proof, ok := opaquerecord.Of(j.account.Credentials)
		if ok && (j.Kind == FinishLogin || j.account.ID == j.Player) {
			record = &proof.Record
		}
		j.key, j.openErr = p.cfg.Opaque.LoginFinish(j.login, record, j.Opaque.Message)
		j.opened, j.upload = true, proof
	}
	there, _ := opaquerecord.Of(j.account.Credentials)
	switch {
	case errors.Is(j.openErr, opaque.ErrRefused):
		j.refuse(rushgate.BadCredentials)
	case errors.Is(j.openErr, opaque.ErrChanged), j.openErr == nil && there != j.upload:
		j.once = true
		j.refuse(rushgate.BadCredentials)
	case j.openErr != nil:
		j.refuseFor(p.ofOpaque(j.openErr))
	default:
		return true
	}
	return false
}

// ofOpaque is what a client is told of an error of package opaque.
func (p *Pool) ofOpaque(err error) error {
	switch {
	case errors.Is(err, opaque.ErrFull):
		return p.busy(door.Crowded, err)
	case errors.Is(err, opaque.ErrPanic):
		return fmt.Errorf("auth: %w", err)
	}
	return refusedOpaque{err}
}

// judgeRegistration prepares the admission of a player whose account is to be made. The same registration once more,
// the answer to which was lost, is known by its attempt and by what it has uploaded.
func (p *Pool) judgeRegistration(ctx context.Context, j *job) {
	if !j.opened {
		var id string
		id, j.upload.Record, j.openErr = p.cfg.Opaque.RegisterFinish(j.Opaque.State, j.Opaque.Message)
		j.upload.Identifier, j.opened = opaquerecord.Identifier(id), true
		if j.openErr == nil {
			p.giveStateBack(j) // a name can be registered once, whatever the state
		}
		if j.openErr == nil && !j.upload.Identifier.Of(RegistrationOf(j.Username)) {
			j.openErr = opaque.ErrBadState
		}
	}
	if j.openErr != nil {
		j.refuseFor(p.ofOpaque(j.openErr))
		return
	}
	there, ok := opaquerecord.Of(j.account.Credentials)
	switch {
	case j.account.ID == 0:
		j.hash = password.Job{Hash: password.Locked()}
		j.made = []rushgate.Credential{j.upload.Credential()}
	case j.Attempt == "" || j.account.Attempt != j.Attempt || !ok || there != j.upload:
		j.refuseFor(rushgate.UsernameTaken)
		return
	default:
		j.proved = true
	}
	p.letIn(ctx, j)
}

// RegistrationOf is what the registration of a new account is for, see [opaquerecord.Identifier.Of].
func RegistrationOf(name string) string { return "new " + name }

// letIn prepares the admission of a job whose player may come in.
func (p *Pool) letIn(ctx context.Context, j *job) {
	if err := p.takeSeat(j); err != nil {
		j.refuseFor(err)
		return
	}
	if err := p.prepare(ctx, j); err != nil {
		p.storeFailed([]*job{j}, "reserve player ids", err)
	}
}

// giveStateBack has the state of a job be good again at this node, also if the account says that it is used: that tells
// who may use it, see useState.
func (p *Pool) giveStateBack(j *job) {
	if id, ok := opaque.StateIDOf(j.Opaque.State); ok && j.opened && j.openErr == nil { // which only those are that finish
		p.cfg.Opaque.GiveBack(id)
	}
}

// opensSession reports whether requests of the kind open a session.
func (k Kind) opensSession() bool { return k == FinishLogin || k == FinishRegister }

// sessionProof is the proof of the server, see [Welcome.SessionProof].
func (j *job) sessionProof(text string) string {
	if j.Kind != FinishLogin || !j.opened {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(j.key.Bind(text))
}

// chance returns bytes for an identifier.
func chance() (b [16]byte) {
	_, _ = rand.Read(b[:]) // which never fails
	return b
}
