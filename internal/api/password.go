package api

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"net/http"
	"sync"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/internal/strictjson"
	"github.com/rushgate/rushgate/internal/token"
)

const (
	// changeLife is for how long a change of a password is answered again whose answer was lost, at the least.
	changeLife = 10 * time.Minute
	// maxChanges is how many changes are remembered for that, at the least half of them.
	maxChanges = 8192
	// changeTimeout bounds a change whose client may have gone: longer than a request may wait for its turn.
	changeTimeout = 2 * time.Minute
)

var passwordFields = []strictjson.Field{
	{Name: "current"}, {Name: "code"}, {Name: "new"}, {Name: "attempt_id"}, {Name: "remember"},
	{Name: "remember_cookie", Kind: strictjson.Bool},
}

// passwordChange is the form of a change of the password.
type passwordChange struct {
	proof             // with the current one
	next              string
	attempt, remember string
	inCookie          bool
}

// parsePasswordChange checks everything about the change of a password that can be checked without asking anyone, for
// the account of a name.
func parsePasswordChange(body []byte, username string, passwordMin int) (c passwordChange, err error) {
	given, err := object(body, passwordFields...)
	if err != nil {
		return c, err
	}
	if _, wanted := given["new"]; !wanted {
		return c, malformed{"Both current and new are needed, which are passwords."}
	}
	c = passwordChange{
		attempt: given.String("attempt_id"), remember: given.String("remember"), inCookie: given.Bool("remember_cookie"),
	}
	if err := validAttempt(c.attempt); err != nil {
		return c, err
	}
	if c.proof, err = proofIn(given, "current"); err != nil {
		return c, err
	}
	if c.next, err = rushgate.NewPassword(given.String("new"), username, passwordMin); err != nil {
		return c, malformed{sentence(err)}
	}
	if c.next == c.password {
		return c, malformed{"The new password is the current one."}
	}
	return c, nil
}

// changePassword gives an account another password, and its player another session: the change ends all others, and
// the devices that the account was remembered on.
func (h *handler) changePassword(w http.ResponseWriter, r *http.Request) {
	c, session, err := h.readPasswordChange(r)
	if err == nil {
		err = h.takesPasswords()
	}
	if err != nil {
		h.refuse(w, err)
		return
	}
	HoldConn(r.Context())
	key := h.changes.key(session.Text(), c.attempt, c.password, c.exact, string(c.code), c.next)
	done, err := h.changeOnce(r, key, c.attempt != "", func(r *http.Request) (changed, error) { return h.change(r, &c) })
	if err != nil {
		h.answer(w, r, auth.Welcome{}, err, 0, false)
		return
	}
	h.reenter(w, r, auth.Request{
		Username: done.name, Player: done.player, Attempt: c.attempt, Remember: c.remember,
	}, done.epoch, c.inCookie)
}

// changeOnce has a change made, or returns what has come of it if the same request has been here before. It goes on
// when the client has gone, whose connection may have broken: then that asks again, and is told to wait until it is
// known.
func (h *handler) changeOnce(
	r *http.Request, key [sha256.Size]byte, again bool, change func(*http.Request) (changed, error),
) (done changed, err error) {
	if !again {
		return change(r)
	}
	done, made, ok := h.changes.begin(key)
	switch {
	case made:
		return done, nil
	case !ok:
		return done, &rushgate.Refusal{Reason: rushgate.ServerBusy, RetryAfter: h.Door.Later(door.UnderWay)}
	}
	defer h.changes.end(key)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), changeTimeout)
	defer cancel()
	if done, err = change(r.WithContext(ctx)); err == nil {
		h.changes.note(key, done, time.Now())
	}
	return done, err
}

// readPasswordChange checks the form of a request, and of its token.
func (h *handler) readPasswordChange(r *http.Request) (c passwordChange, t token.Session, err error) {
	text, err := bearerToken(r)
	if err != nil {
		return c, t, err
	}
	if t, err = token.ParseSession(text); err != nil {
		return c, t, rushgate.BadCredentials
	}
	body, err := readBody(r)
	if err != nil {
		return c, t, err
	}
	if c, err = parsePasswordChange(body, t.Name(), h.PasswordMin); err != nil {
		return c, t, err
	}
	if c.inCookie && r.URL.Path != cookiePassword {
		return c, t, malformed{"A cookie would not reach /v1/resume from here. Ask at " + cookiePassword + "."}
	}
	return c, t, h.remembered(r, c.remember, c.inCookie)
}

// change has the password of the session's player changed.
func (h *handler) change(r *http.Request, c *passwordChange) (changed, error) {
	o, err := h.owner(r)
	if err != nil {
		return changed{}, err
	}
	request, err := h.errand(r, o, &c.proof)
	if err != nil {
		return changed{}, err
	}
	request.Kind, request.NewPassword = auth.ChangePassword, c.next
	a, err := h.Pool.Errand(r.Context(), request)
	return changed{a.ID, a.Username, a.Epoch + 1}, err
}

// changed is an account after a change, or the zero value after one that has left the session open.
type changed struct {
	player rushgate.PlayerID
	name   string
	epoch  uint64
}

// changes remembers changes of passwords whose answers may have been lost: the session that has asked for one is over
// then, and the password another. They are found by a keyed hash of all that the request holds.
type changes struct {
	chance [32]byte

	mu             sync.Mutex
	turned         time.Time
	recent, before map[[sha256.Size]byte]changed
	underWay       map[[sha256.Size]byte]struct{} // no more than there are requests
}

func newChanges() *changes {
	c := &changes{underWay: make(map[[sha256.Size]byte]struct{})}
	_, _ = rand.Read(c.chance[:]) // which never fails
	return c
}

// key returns the one of a request that holds these parts, each of any bytes.
func (c *changes) key(parts ...string) (key [sha256.Size]byte) {
	mac := hmac.New(sha256.New, c.chance[:])
	for _, part := range parts {
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		mac.Write([]byte(part))
	}
	return [sha256.Size]byte(mac.Sum(nil))
}

// begin returns a change that was made, or has the caller make it, which is then to call end; else another is at it.
func (c *changes) begin(key [sha256.Size]byte) (done changed, made, begun bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, known := range []map[[sha256.Size]byte]changed{c.recent, c.before} {
		if done, ok := known[key]; ok {
			return done, true, false
		}
	}
	if _, ok := c.underWay[key]; ok {
		return changed{}, false, false
	}
	c.underWay[key] = struct{}{}
	return changed{}, false, true
}

func (c *changes) end(key [sha256.Size]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.underWay, key)
}

func (c *changes) note(key [sha256.Size]byte, done changed, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.recent == nil || len(c.recent) >= maxChanges/2 || now.Sub(c.turned) >= changeLife {
		c.recent, c.before, c.turned = make(map[[sha256.Size]byte]changed), c.recent, now
	}
	c.recent[key] = done
}
