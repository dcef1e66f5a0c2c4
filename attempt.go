package rushgate

// ValidAttempt reports whether s can be an attempt_id: 1 to [MaxAttemptLen] of the characters A-Z, a-z, 0-9, '_' and
// '-'.
func ValidAttempt(s string) bool {
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-':
		default:
			return false
		}
	}
	return s != "" && len(s) <= MaxAttemptLen
}
