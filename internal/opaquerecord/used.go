package opaquerecord

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/opaque"
)

const (
	// maxUsed bounds how many states an account notes. Of more, those that expire first are forgotten: to have them so,
	// somebody has to log in that often within a minute, which takes the password.
	maxUsed = 16
	// notedOfID is how many bytes of its id a state is noted by, and notedOfAttempt by how many of a hash the attempt that
	// has used it.
	notedOfID      = 8
	notedOfAttempt = 6
)

// Verdict is what there is to say of the state of a login.
type Verdict uint8

// The verdicts.
const (
	// Used: another attempt has used it.
	Used Verdict = iota
	// Fresh: nobody has.
	Fresh
	// Repeated: the same attempt has used it, whose answer was lost, or told it to try again.
	Repeated
)

// Use judges the state of a login that comes with an attempt, which has an id. After is what the credentials are to be
// if the state is to be used up, which note that with the record; nil if it is not Fresh. What has expired is noted no
// longer. Credentials without a record are returned as they are.
//
// The note is in the Provider of the credential, which nodes of older versions leave as it is: for each state eight
// bytes of its id, a dot, and six bytes of a hash of the attempt and the id, in base64url; a colon, and the second
// since 1970 after which it has ended, in base 36; with spaces between. A note without a dot is of an unknown attempt.
func Use(credentials []rushgate.Credential, id opaque.StateID, attempt string, expires, now time.Time) (
	v Verdict, after []rushgate.Credential,
) {
	i := slices.IndexFunc(credentials, func(c rushgate.Credential) bool { return c.Kind == Kind })
	if i < 0 {
		return Fresh, credentials
	}
	name := base64.RawURLEncoding.EncodeToString(id[:notedOfID])
	by := attemptNote(id, attempt)
	var noted []string
	for _, n := range strings.Fields(credentials[i].Provider) {
		other, end, _ := strings.Cut(n, ":")
		other, otherBy, _ := strings.Cut(other, ".")
		switch until, err := strconv.ParseInt(end, 36, 64); {
		case err != nil || until < now.Unix():
		case other == name && subtle.ConstantTimeCompare([]byte(otherBy), []byte(by)) == 1:
			return Repeated, nil
		case other == name:
			return Used, nil
		default:
			noted = append(noted, n)
		}
	}
	noted = append(noted, name+"."+by+":"+strconv.FormatInt(expires.Unix()+1, 36))
	noted = noted[max(len(noted)-maxUsed, 0):] // the order is that of use, which is nearly that of the ends
	after = slices.Clone(credentials)
	after[i].Provider = strings.Join(noted, " ")
	return Fresh, after
}

// attemptNote is by what the attempt is noted that has used a state. It differs for each state, so that notes do not
// tell of two that they are of one attempt.
func attemptNote(id opaque.StateID, attempt string) string {
	h := sha256.New()
	h.Write([]byte("rushgate opaque attempt\x00"))
	h.Write(id[:])
	h.Write([]byte(attempt))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:notedOfAttempt])
}
