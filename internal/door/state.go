package door

import "errors"

// MaxState is the greatest length of what [Door.State] returns, in bytes.
const MaxState = 256 << 20

// ErrBadState is wrapped by the error of [New] for a [Config].State that it cannot use.
var ErrBadState = errors.New("door: not the state of a door that this one can go on from")

// State returns all that another door needs to go on in place of this one, see [Config].State: what clients have failed
// at and which lockouts run, which names have a place in the world or have one kept, the pace of the workers, and both
// lines. Seats that are open are not part of it: it is to be taken when the pool is frozen, so that there are none.
func (d *Door) State() []byte { return nil }
