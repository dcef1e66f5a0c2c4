package api

import (
	"crypto/sha256"
	"net/http"
	"sync"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/opaque"
	"github.com/rushgate/rushgate/internal/secondfactor"
	"github.com/rushgate/rushgate/internal/strictjson"
	"github.com/rushgate/rushgate/password"
)

const (
	// freshLife is for how long after a login with a password its session may have the account move over to OPAQUE without
	// the password being shown once more.
	freshLife = 5 * time.Minute
	// maxFresh is how many such logins are remembered, at the least half of them.
	maxFresh = 1 << 16
)

// proof is by what a player inside proves to own the account: the password, or what was begun at
// /v1/opaque/confirm/start.
type proof struct {
	password, exact string // see [rushgate.LoginPassword]
	opaque          auth.Opaque
}

func (p *proof) byOpaque() bool { return p.opaque.State != nil }
func (p *proof) shown() bool    { return p.byOpaque() || p.password != "" || p.exact != "" }

// opaqueProofFields are those by which a request shows a proof by OPAQUE in place of the password.
var opaqueProofFields = []strictjson.Field{{Name: "login_state"}, {Name: "ke3"}}

// errNothingShown is for a request that shows no proof.
var errNothingShown = malformed{"The password is needed, or login_state and ke3."}

// proofOf returns what a request shows, whose password is in a field of the given name.
func (h *handler) proofOf(given strictjson.Values, field string) (p proof, err error) {
	hasState, hasKE3 := given.String("login_state") != "", given.String("ke3") != ""
	_, hasPassword := given[field]
	switch {
	case (hasState || hasKE3) && given.String(field) != "":
		return p, malformed{"There is both a password and a proof by OPAQUE: one of them is needed."}
	case hasState || hasKE3:
		if h.Opaque == nil {
			return p, errNoOpaque
		}
		p.opaque, err = finishing(given, "login_state", "ke3", opaque.KE3Size)
		return p, err
	case !hasPassword:
		return p, errNothingShown
	}
	if err := h.takesPasswords(); err != nil {
		return p, err
	}
	if p.password, p.exact, err = rushgate.LoginPassword(given.String(field)); err != nil {
		return p, malformed{sentence(err)}
	}
	return p, nil
}

// prove has the player of a session show a proof, and the second factor if the account has one. What comes of it is to
// use the code up.
func (h *handler) prove(r *http.Request, o owner, p *proof, code secondfactor.Code) (auth.Proven, error) {
	request, err := h.proving(r, o, p)
	if err != nil {
		return auth.Proven{}, err
	}
	request.Factor = code
	if p.byOpaque() {
		request.Kind = auth.FinishConfirm
		proven, err := h.Pool.FinishProof(r.Context(), request)
		return proven, ofOpaque(err)
	}
	return h.Pool.Confirm(r.Context(), request)
}

// proveOwner has the player of a session show a proof, and returns the account as it was then. With a password it is an
// errand: in a rush it gets a small share of the hashing.
func (h *handler) proveOwner(r *http.Request, o owner, p *proof) (rushgate.Account, error) {
	request, err := h.proving(r, o, p)
	if err != nil {
		return rushgate.Account{}, err
	}
	if p.byOpaque() {
		request.Kind = auth.FinishProve
		proven, err := h.Pool.FinishProof(r.Context(), request)
		return proven.Account, ofOpaque(err)
	}
	request.Kind = auth.Prove
	return h.Pool.Errand(r.Context(), request)
}

// proving is what a proof is judged by.
func (h *handler) proving(r *http.Request, o owner, p *proof) (out auth.Request, err error) {
	if a, err := h.found(r, o); err != nil {
		return out, err
	} else if !p.byOpaque() && (a.PasswordHash == "" || password.IsLocked(a.PasswordHash)) {
		return out, errNoProof
	}
	out = auth.Request{
		Player: o.player, Password: p.password, Exact: p.exact, Opaque: p.opaque, Addr: h.Proxies.Client(r),
	}
	out.Username, out.Imported, err = loginName(o.name)
	return out, err
}

// freshLogins are the sessions that were opened with a password a short while ago, by a hash of their tokens. What they
// are good for takes the token itself.
type freshLogins struct {
	mu             sync.Mutex
	turned         time.Time
	recent, before map[[sha256.Size]byte]time.Time
}

// note remembers a session that was opened now.
func (f *freshLogins) note(session string, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.recent == nil || len(f.recent) >= maxFresh/2 || now.Sub(f.turned) >= freshLife {
		f.recent, f.before, f.turned = make(map[[sha256.Size]byte]time.Time), f.recent, now
	}
	f.recent[sha256.Sum256([]byte(session))] = now
}

// is reports whether a session was opened with a password a short while ago.
func (f *freshLogins) is(session string, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := sha256.Sum256([]byte(session))
	for _, known := range []map[[sha256.Size]byte]time.Time{f.recent, f.before} {
		if at, ok := known[key]; ok && now.Sub(at) < freshLife {
			return true
		}
	}
	return false
}
