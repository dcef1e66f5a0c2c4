package opaque

import (
	"encoding/binary"
	"time"

	"golang.org/x/crypto/chacha20poly1305"
)

// Purpose is what a state is for: one that was made for a purpose is of no use for another.
type Purpose byte

// The purposes that there are. [PurposeRegister] is that of registrations; all others are of logins.
const (
	PurposeRegister Purpose = 1
	// PurposeLogin opens a session.
	PurposeLogin Purpose = 2
	// PurposeConfirm proves the password of a player who is inside already, such as before a change of the account.
	PurposeConfirm Purpose = 3
)

const (
	stateVersion = 1
	stateHead    = 1 + len(KeyID{}) // in the clear
	stateNonce   = chacha20poly1305.NonceSizeX
	stateFixed   = stateHead + stateNonce + 8 + chacha20poly1305.Overhead
	proofSize    = fingerprintSize + hashSize + SessionKeySize

	// MaxRegisterState and MaxLoginState are the greatest sizes of states in bytes. A state is as much smaller as the name
	// is shorter than [MaxName], and says nothing else by its size.
	MaxRegisterState = stateFixed + MaxName
	MaxLoginState    = stateFixed + proofSize + MaxName
)

// StateID names a state: no two have the same.
type StateID [stateNonce]byte

// state is what a server has to know again at the end of a login or registration.
//
// Sealed it is: a byte 1, the version; the id of the key; 24 bytes of chance, the nonce; and then, with
// XChaCha20-Poly1305, and with version, id and the byte of the purpose as additional data: 8 bytes for when it ends, in
// milliseconds since 1970, big-endian; of logins the fingerprint of the record, what KE3 has to be, and the session
// key; the name; and the tag.
type state struct {
	expires time.Time
	proof   []byte // proofSize bytes, or none
	name    string
}

// sealState returns a state sealed with the key in use.
func (k *key) sealState(s *state, nonce *StateID, p Purpose) []byte {
	b := make([]byte, 0, stateFixed+len(s.proof)+len(s.name))
	b = append(append(append(b, stateVersion), k.id[:]...), nonce[:]...)
	plain := binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(s.proof)+len(s.name)), uint64(s.expires.UnixMilli()))
	plain = append(append(plain, s.proof...), s.name...)
	return k.seal.Seal(b, nonce[:], plain, stateAdditional(b[:stateHead], p))
}

// openState returns the state that was sealed for a purpose, its id, and the key that it was sealed with. The error is
// [ErrBadState] or [ErrUnknownKey].
func (k *Keys) openState(sealed []byte, p Purpose) (*state, StateID, *key, error) {
	proof := proofSize
	if p == PurposeRegister {
		proof = 0
	}
	if len(sealed) <= stateFixed+proof || len(sealed) > stateFixed+proof+MaxName || sealed[0] != stateVersion {
		return nil, StateID{}, nil, ErrBadState
	}
	one := k.find(KeyID(sealed[1:stateHead]))
	if one == nil {
		return nil, StateID{}, nil, ErrUnknownKey
	}
	id := StateID(sealed[stateHead:])
	plain, err := one.seal.Open(nil, id[:], sealed[stateHead+stateNonce:], stateAdditional(sealed[:stateHead], p))
	if err != nil {
		return nil, StateID{}, nil, ErrBadState
	}
	s := &state{
		expires: time.UnixMilli(int64(binary.BigEndian.Uint64(plain))),
		proof:   plain[8 : 8+proof],
		name:    string(plain[8+proof:]),
	}
	return s, id, one, nil
}

func stateAdditional(head []byte, p Purpose) []byte {
	return append(append(make([]byte, 0, stateHead+1), head...), byte(p))
}
