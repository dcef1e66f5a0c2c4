package password

// lockedScheme and lockedCost are what [Describe] says of the hash of an account that has no password.
const (
	lockedScheme = "none"
	lockedCost   = "no password"
)

// Locked returns a hash that no password has, for accounts that are proved in another way. It differs from all others,
// is looked at for as long as any, and reads as one that never matches also to versions that know nothing of it.
func Locked() string {
	h := newPBKDF2Hash(1, "") // what verifying it costs less than others is made up for
	h.key = make([]byte, KeyLen)
	return h.String()
}

// IsLocked reports whether a stored hash is one that no password has.
func IsLocked(hash string) bool {
	s, err := parse(hash)
	h, ok := s.(*pbkdf2Hash)
	return err == nil && ok && h.locked()
}

// locked reports whether the key is that of no password: all zeros. One that a password has is as good as never so, and
// is taken for none.
func (h *pbkdf2Hash) locked() bool {
	for _, b := range h.key {
		if b != 0 {
			return false
		}
	}
	return true
}
