package auth

import (
	"context"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/access"
	"github.com/rushgate/rushgate/internal/awake"
	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/internal/line"
	"github.com/rushgate/rushgate/internal/opaque"
	"github.com/rushgate/rushgate/internal/opaquerecord"
	"github.com/rushgate/rushgate/internal/passkey"
	"github.com/rushgate/rushgate/internal/secondfactor"
	"github.com/rushgate/rushgate/internal/token"
)

// Kind tells what a [Request] wants.
type Kind uint8

// The kinds of [Request].
const (
	Login Kind = iota
	Register
	// Enter is of a player who has waited for the world, see [Pool.Enter].
	Enter
	// ChangePassword is an errand, see [Pool.Errand].
	ChangePassword
	// Recover is an errand with a code in place of the password, which is lost.
	Recover
	// Confirm is an errand that proves the account, and has nothing done, see [Pool.Confirm].
	Confirm
	// Resume is of a player whose device is remembered, and Continue of one whose session goes on, see [Pool.Resume].
	Resume
	Continue
	// Forget is to end a remembered device, see [Pool.Forget].
	Forget
	// Reenter is of a player whose password was changed, see [Pool.Reenter].
	Reenter
	// Passkey is of a player who shows a passkey, see [Pool.Passkey].
	Passkey
	// Identity is of a player whom a device or a provider vouches for, see [Pool.Identity].
	Identity
	// FinishLogin, FinishConfirm and FinishRegister finish what was begun by OPAQUE, see [Pool.Finish] and
	// [Pool.FinishProof].
	FinishLogin
	FinishConfirm
	FinishRegister
	// BeginLogin, BeginConfirm and BeginRegister begin it, see [Pool.Begin].
	BeginLogin
	BeginConfirm
	BeginRegister
	// Rename is of a player inside who wants another name, about whom the policy alone is asked, see [Pool.MayTake].
	Rename
)

// inLane reports whether requests of the kind need no hash, and are served in a lane beside the workers.
func (k Kind) inLane() bool { return k >= Resume }

// showsToken reports whether requests of the kind show a token, a passkey or an identity.
func (k Kind) showsToken() bool { return k >= Resume && k <= Identity }

// Request is a player's wish to be let in.
type Request struct {
	Kind Kind
	// Username is canonical, as returned by [rushgate.NewUsername], or for a login the last name of
	// [rushgate.LoginNames]. It is the one that the door counts by.
	Username string
	// Imported is, for a login, the other name of [rushgate.LoginNames], if there are two: if there is an account of this
	// name, that is meant.
	Imported string
	// Password is as returned by [rushgate.ParsePassword]. It is a secret. A login may have none, if it has Exact.
	Password string
	// Exact is, for a login, the password as the client sent it, if [rushgate.LoginPassword] says that it might have been
	// hashed so; otherwise empty. It is a secret.
	Exact string
	// Factor is what a [Login], an [Identity], a [Confirm] or a [ChangePassword] proves a second factor with; empty for
	// none. It is a secret.
	Factor secondfactor.Code
	// NewPassword is, for an errand, the password that the account is to get, as returned by [rushgate.NewPassword]. It is
	// a secret.
	NewPassword string
	// Code is what a [Recover] has in place of a password; its Password is the one that the account is to get, as returned
	// by [rushgate.NewPassword]. It is a secret.
	Code token.Code
	// Opaque is what requests that begin or finish something by OPAQUE have in place of a password.
	Opaque Opaque
	// Record is, for a [Recover], what the player has registered by OPAQUE in place of a Password; the zero Proof for
	// none.
	Record opaquerecord.Proof
	// Player is, for an errand, whose account it is. A [Recover] has none.
	Player rushgate.PlayerID
	// Attempt is the attempt_id that the client chose, or empty.
	Attempt string
	// Takeover asks that a session which the player has elsewhere be ended: until it has, the request is refused with
	// [rushgate.ServerBusy] instead of [rushgate.AlreadyLoggedIn].
	Takeover bool
	// Addr is the client's address.
	Addr netip.Addr
	// Device is what the client says of the device that it runs on; the zero one if it says nothing.
	Device access.Device
	// Holder, Ticket and Work are for the line before the door, as in [door.Knock].
	Holder       line.Holder
	Ticket, Work string
	// Wait has a login wait for the world if that is full, as in [door.Knock].
	Wait bool
	// Remember is what the player calls the device that the account is to be remembered on, see
	// [rushgate.ValidDeviceLabel]; empty if it is not to be. Of a [Login], [Register], [Enter],
	// [Passkey] or [Identity].
	Remember string
	// ResumeToken is that of a [Resume] or [Forget], SessionToken that of a [Continue].
	ResumeToken  token.Resume
	SessionToken token.Session
	// Assertion is what a [Passkey] shows.
	Assertion *passkey.Assertion
	// Shown is what an [Identity] shows, and a [Confirm] or a [ChangePassword] in place of the password that the account
	// has.
	Shown Shown
	// Elsewhere is what a [Continue] wants of a session that another node holds.
	Elsewhere Elsewhere
	// Proof is what a player got with the Ticket who has waited for the world; of an [Enter] alone, whose names and
	// password are not looked at.
	Proof string
}

// knock is the request as the door sees it.
func (r *Request) knock() door.Knock {
	k := door.Knock{
		Addr: r.Addr, Name: r.Username, Takeover: r.Takeover,
		Holder: r.Holder, Ticket: []byte(r.Ticket), Work: []byte(r.Work), Device: r.Device,
	}
	switch r.Kind {
	case Register:
		k.Want = door.Register
	case Login:
		k.Wait = r.Wait
	case Enter:
		k.Want = door.Enter
	case ChangePassword, Confirm, Recover:
		k.Want = door.Errand
	case Reenter:
		k.Want = door.Resume
	case BeginConfirm, FinishConfirm:
		k.Want = door.Errand
	case FinishLogin:
		k.Wait = r.Wait
	case FinishRegister:
		k.Want = door.Register
	case BeginRegister:
		if k.Want = door.Register; r.Player != 0 {
			k.Want = door.Forget
		}
	case Resume:
		k.Want, k.Wait = door.Resume, r.Wait
	case Passkey:
		k.Want, k.Wait = door.Passkey, r.Wait
	case Identity:
		k.Want, k.Wait = door.Identity, r.Wait
	case Forget:
		k.Want = door.Forget
	case Continue:
		k.Want = door.Continue
	}
	return k
}

// pending is a request on its way through the queue and the workers.
type pending struct {
	Request
	seat     *door.Seat
	proof    line.Proof          // of an Enter or a Reenter
	proven   secondfactor.Proved // of an errand; of a login the Account; once it is answered with success
	ctx      context.Context     // the caller's: done means that the caller no longer waits
	enqueued time.Time
	maxAge   time.Duration
	clock    *awake.Clock
	welcome  Welcome         // of one that has finished, once it is answered with success
	login    *opaque.Pending // of one that finishes a login
	begun    Begun           // of one that begins, once it is answered with success
	answered atomic.Bool
	answer   chan answer // holds one
}

type answer struct {
	welcome Welcome
	err     error
}

// turn is the request's place in the queue.
func (p *pending) turn() int64 { return p.seat.Turn().UnixMicro() }

// stale reports whether the request waited too long or its caller has gone.
func (p *pending) stale() bool {
	return p.clock.Since(p.enqueued) > p.maxAge || p.ctx.Err() != nil
}

// claim makes the caller the one who answers the request; false means that another has. What is to be counted is
// counted between claim and reply: a client that has an answer finds it in the metrics.
func (p *pending) claim() bool { return p.answered.CompareAndSwap(false, true) }

// reply answers a request that the caller has claimed.
func (p *pending) reply(w Welcome, err error) { p.answer <- answer{w, err} }
