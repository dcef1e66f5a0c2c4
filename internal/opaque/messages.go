package opaque

import "errors"

// Sizes of messages in bytes. There are no others: whatever has another size is refused before it is looked at.
const (
	// RequestSize is that of a client's request to register, ResponseSize that of the answer, and UploadSize that of what
	// the client then sends to be kept.
	RequestSize  = elementSize
	ResponseSize = 2 * elementSize
	UploadSize   = elementSize + hashSize + envelopeSize
	// KE1Size, KE2Size and KE3Size are those of the three messages of a login.
	KE1Size = elementSize + nonceSize + elementSize
	KE2Size = credentialSize + nonceSize + elementSize + hashSize
	KE3Size = hashSize
	// SessionKeySize is that of the key which both have after a login.
	SessionKeySize = hashSize
	// MaxName bounds a name, in bytes; it is at least 1.
	MaxName = 255
)

const (
	elementSize    = 32
	scalarSize     = 32
	nonceSize      = 32
	seedSize       = 32
	hashSize       = 64
	envelopeSize   = nonceSize + hashSize
	maskedSize     = elementSize + envelopeSize
	credentialSize = elementSize + nonceSize + maskedSize // what in KE2 the client opens with its password
)

// The errors of this package, to be matched with errors.Is. None of them holds a part of a message, a key or a name.
var (
	// ErrMalformed is for messages of another size, and for bytes that are no element of the group: no client that keeps
	// to the protocol sends such.
	ErrMalformed = errors.New("opaque: malformed message")
	// ErrRefused is for a KE3 that does not belong to the login: the client does not know the password.
	ErrRefused = errors.New("opaque: the proof is wrong")
	// ErrChanged is for a proof of a password that has been changed since the login began, or was registered anew: the
	// client may begin again.
	ErrChanged = errors.New("opaque: the record was changed meanwhile")
	// ErrBadState is for a state that no server with these keys has made for this purpose.
	ErrBadState = errors.New("opaque: not a state of this server for this purpose")
	// ErrExpired is for a state that has come too late.
	ErrExpired = errors.New("opaque: the state has expired")
	// ErrUsed is for a state that comes a second time.
	ErrUsed = errors.New("opaque: the state was used before")
	// ErrFull is for a state that would have to be remembered when there is no room: the server is busy.
	ErrFull = errors.New("opaque: too many states are remembered")
	// ErrBadRecord is for records that [ParseRecord] does not read, and for those that hold no key of a client.
	ErrBadRecord = errors.New("opaque: not a record")
	// ErrUnknownKey is for records and states under a key that the server does not have, or no longer.
	ErrUnknownKey = errors.New("opaque: made with a key that is not in the file")
	// ErrNonePrepared says that there is no key to put to use: the one that was prepared last is in use already.
	ErrNonePrepared = errors.New("opaque: no key is prepared")
	// ErrBadKeys is for what is no file of keys.
	ErrBadKeys = errors.New("opaque: not a file of keys")
	// ErrName is for a name that is empty or longer than [MaxName]. It is the caller's fault.
	ErrName = errors.New("opaque: a name of no or too many bytes")
	// ErrPanic is for a call that panicked, see [Config].Panicked.
	ErrPanic = errors.New("opaque: a panic, recovered")
)
