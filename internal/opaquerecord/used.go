package opaquerecord

import (
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
	// notedOfID is how many bytes of its id a state is noted by.
	notedOfID = 8
)

// Use returns credentials that note with the record that the state of a login by it is used, and reports false if they
// do already. What has expired is noted no longer. Credentials without a record are returned as they are.
//
// The note is in the Provider of the credential, which nodes of older versions leave as it is: for each state eight
// bytes of its id, in base64url, a colon, and the second since 1970 after which it has ended, in base 36; with spaces
// between.
func Use(credentials []rushgate.Credential, id opaque.StateID, expires, now time.Time) (
	after []rushgate.Credential, fresh bool,
) {
	i := slices.IndexFunc(credentials, func(c rushgate.Credential) bool { return c.Kind == Kind })
	if i < 0 {
		return credentials, true
	}
	name := base64.RawURLEncoding.EncodeToString(id[:notedOfID])
	var noted []string
	for _, n := range strings.Fields(credentials[i].Provider) {
		other, end, _ := strings.Cut(n, ":")
		switch until, err := strconv.ParseInt(end, 36, 64); {
		case err != nil || until < now.Unix():
		case other == name:
			return nil, false
		default:
			noted = append(noted, n)
		}
	}
	noted = append(noted, name+":"+strconv.FormatInt(expires.Unix()+1, 36))
	noted = noted[max(len(noted)-maxUsed, 0):] // the order is that of use, which is nearly that of the ends
	after = slices.Clone(credentials)
	after[i].Provider = strings.Join(noted, " ")
	return after, true
}
