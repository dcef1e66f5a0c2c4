package rushgate

import (
	"context"
	"time"
)

const (
	// MaxSharedNameLen is the greatest length of the name of a value that a fleet shares, in bytes.
	MaxSharedNameLen = 64
	// MaxSharedLen is the greatest length of such a value, in bytes.
	MaxSharedLen = 256 << 10
	// MaxNodes is how many nodes of a fleet are known of each other. Of more, those are that were last heard of.
	MaxNodes = 256
	// MaxNodeAddressLen is the greatest length of [NodeBeat].Address in bytes.
	MaxNodeAddressLen = 255
)

// Fleet is what all nodes on one [Store] have in common besides the players: a few small values by name, such as the
// keys that seal places in the line, and who they are. The values may be secrets; no error holds one.
//
// A name has 1 to [MaxSharedNameLen] characters of a-z, 0-9 and "-", a value 1 to [MaxSharedLen] bytes. Any other is
// refused with an error that says what is wrong, and nothing is changed.
type Fleet interface {
	// Shared returns the value of a name, which is the caller's to change, or nil if there is none. The error wraps
	// [ErrDamagedRecord] if what is there is no such value.
	Shared(ctx context.Context, name string) ([]byte, error)
	// SwapShared gives a name a new value in place of an old one, in one atomic step: of several callers that go by
	// the same old value, and have new ones that differ, exactly one succeeds. An old value of length 0 stands for
	// none, and no value is ever taken away. If the name has neither the old value nor the new one, the result is
	// false, and nothing has changed. A name that has the new value already is a success, so that the call can be
	// repeated when its outcome is unknown. The error is like that of Shared.
	SwapShared(ctx context.Context, name string, oldValue, newValue []byte) (swapped bool, err error)
	// Beat says that a node is there, and returns what is known of all nodes, this one included, the one last heard of
	// first: at most [MaxNodes]. Of each node there is one, the run that was last heard of. A node is forgotten once it
	// has been silent for a day; a store that only one process uses may forget all of them when it is closed. The call is
	// cheap; a node makes it once a second.
	Beat(ctx context.Context, beat NodeBeat) ([]NodeStatus, error)
}

// NodeBeat is what a node says of itself, to all nodes on the same [Store]. Its ids are UTF-8.
type NodeBeat struct {
	Instance
	// Address is where players reach this very node, as host:port, UTF-8 of at most [MaxNodeAddressLen] bytes without
	// control characters; empty if they cannot.
	Address string
}

// NodeStatus is what is known of a node.
type NodeStatus struct {
	Instance
	// Address is that of its last [NodeBeat].
	Address string
	// Silence is how long ago that was, by the store's clock: 0 or more.
	Silence time.Duration
}
