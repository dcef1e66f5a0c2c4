package realm

import (
	"context"
	"errors"
)

// MaxState is the greatest length of what [Realm.State] returns, in bytes.
const MaxState = 1 << 30

// ErrFixedWorld says that the world is no [rushgate.Checkpointer], and stays in its process.
var ErrFixedWorld = errors.New("realm: the world cannot be moved into another process")

// ErrBadState is wrapped by the error of [New] for a [Config].State that it cannot use.
var ErrBadState = errors.New("realm: not the state of a realm that this one can go on from")

// errNotFrozen is for a state that would be out of date at once.
var errNotFrozen = errors.New("realm: the state can be taken only while the realm is frozen")

// Freeze has the realm stand still, so that [Realm.State] can be taken: first calls of players wait, the channel reads
// no more, logouts under way are answered and the saver comes to rest, then the tick stops between two steps and the
// snapshots that it has asked for are sent. All but the last two go on while the world is stepped as ever.
//
// If ctx ends before, or the world is no [rushgate.Checkpointer] ([ErrFixedWorld]), the realm goes on as if it had not
// been asked, and the error says what it waited for. Otherwise [Realm.Thaw] or [Realm.Leave] has to follow.
func (r *Realm) Freeze(ctx context.Context) error { return errors.ErrUnsupported }

// State returns all that another realm needs to go on in place of this one, see [Config].State: the world's checkpoint,
// the sessions, and what has not been saved. It holds the tokens of all sessions. The realm must be frozen. The state
// of the channel is apart: [netcode.Server.State] gives it, while the realm is frozen.
func (r *Realm) State() ([]byte, error) { return nil, errNotFrozen }

// Thaw ends what [Realm.Freeze] began: the realm goes on from where it stood. It is idempotent.
func (r *Realm) Thaw() {}

// Leave ends a frozen realm that another one goes on in place of: nothing is saved and no lease released, the calls
// that wait are answered [rushgate.ServerBusy], and connections but those of the channel end for [Moved]. It returns
// when no goroutine of the realm is left. [Realm.Stop] then has nothing to do.
func (r *Realm) Leave() {}
