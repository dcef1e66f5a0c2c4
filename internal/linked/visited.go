package linked

import (
	"slices"
	"strconv"
	"time"

	"github.com/rushgate/rushgate"
)

// Visited is the kind of the credential that says when a guest was here: its Subject is a time in milliseconds of Unix
// time, its other parts are empty. It proves nothing.
const Visited = "guest-visited"

// VisitedAt returns when a guest was here, as far as credentials say; the zero time if they do not.
func VisitedAt(credentials []rushgate.Credential) time.Time {
	for _, c := range credentials {
		ms, err := strconv.ParseInt(c.Subject, 10, 64)
		if c.Kind == Visited && err == nil && ms > 0 && ms <= rushgate.Forever().UnixMilli() {
			return time.UnixMilli(ms)
		}
	}
	return time.Time{}
}

// Visit returns credentials that say that a guest is here now. They are the caller's to change.
func Visit(credentials []rushgate.Credential, now time.Time) []rushgate.Credential {
	after := slices.DeleteFunc(slices.Clone(credentials), func(c rushgate.Credential) bool { return c.Kind == Visited })
	return append(after, rushgate.Credential{Kind: Visited, Subject: strconv.FormatInt(now.UnixMilli(), 10)})
}

// Abandonable reports whether nothing but devices that play as guests opens an account: there is no other credential,
// and the caller knows that there is no password.
func Abandonable(credentials []rushgate.Credential) bool {
	guests := 0
	for _, c := range credentials {
		switch c.Kind {
		case Guest:
			guests++
		case Visited:
		default:
			return false
		}
	}
	return guests > 0
}
