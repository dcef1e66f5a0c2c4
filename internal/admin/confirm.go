package admin

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/http"
	"time"
)

// confirmLasts is how long an operator may take to confirm what cannot be undone.
const confirmLasts = 2 * time.Minute

// confirmer has what cannot be undone asked for twice. It keeps nothing but a key: the first answer has a value that
// the second request has to bring, and that is good for this operator, for this act, and as long as it would do what
// the operator was told: who confirms that a player is deleted has not confirmed it of another who has the name by
// then.
type confirmer struct{ key [sha256.Size]byte }

func newConfirmer() *confirmer {
	c := new(confirmer)
	rand.Read(c.key[:]) // which never fails
	return c
}

// value returns what confirms an act until a time.
func (c *confirmer) value(who, what, would string, until time.Time) string {
	at := binary.BigEndian.AppendUint64(nil, uint64(until.Unix()))
	mac := hmac.New(sha256.New, c.key[:])
	fmt.Fprintf(mac, "%s %q %q %q", at, who, what, would)
	return base64.RawURLEncoding.EncodeToString(mac.Sum(at))
}

// confirms reports whether a value confirms an act now.
func (c *confirmer) confirms(value, who, what, would string) bool {
	b, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil || len(b) != 8+sha256.Size {
		return false
	}
	until := time.Unix(int64(binary.BigEndian.Uint64(b)), 0)
	if left := time.Until(until); left <= 0 || left > confirmLasts {
		return false
	}
	return hmac.Equal([]byte(value), []byte(c.value(who, what, would, until)))
}

// confirmed reports whether a request brings what confirms an act, and otherwise answers with what would happen, which
// names whom it happens to; unsaid is what it does not say of that.
func (a *acts) confirmed(w http.ResponseWriter, r *http.Request, value, what, would, unsaid string) bool {
	all := would + "\x00" + unsaid
	who, problem := personOf(r.Context()).name, "this cannot be undone; send it again with confirm"
	switch {
	case a.confirm.confirms(value, who, what, all):
		return true
	case value != "":
		problem = "that confirms nothing here: it has expired, or is of another order, operator or node; send it again " +
			"with this confirm"
	}
	writeJSON(w, http.StatusConflict, question{
		Error: problem, Would: would,
		Confirm: a.confirm.value(who, what, all, time.Now().Add(confirmLasts)), WithinS: int(confirmLasts / time.Second),
	})
	return false
}

// question is the answer to what has to be confirmed.
type question struct {
	Error   string `json:"error"`
	Would   string `json:"would"`
	Confirm string `json:"confirm"`
	WithinS int    `json:"within_s"`
}
