package rushgate

import "context"

const (
	// MaxSharedNameLen is the greatest length of the name of a value that a fleet shares, in bytes.
	MaxSharedNameLen = 64
	// MaxSharedLen is the greatest length of such a value, in bytes.
	MaxSharedLen = 4096
)

// Fleet is what all nodes on one [Store] have in common besides the players: a few small values by name, such as the
// keys that seal places in the line. They may be secrets; no error holds one.
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
}
