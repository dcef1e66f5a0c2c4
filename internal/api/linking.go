package api

import (
	"errors"
	"net/http"
	"slices"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/linked"
	"github.com/rushgate/rushgate/internal/secondfactor"
	"github.com/rushgate/rushgate/internal/strictjson"
	"github.com/rushgate/rushgate/internal/token"
)

var (
	errLinked         = rejection{http.StatusConflict, "That opens another account."}
	errManyIdentities = rejection{http.StatusConflict, "The account has as many identities as it may have."}
	errNotLinked      = rejection{http.StatusNotFound, "The account has no such identity."}
	errLastWay        = rejection{http.StatusConflict, "Nothing else opens the account. Set a password first."}
	errOtherChoice    = rejection{http.StatusConflict, "A merge of that guest goes on that keeps the other character."}
	errNoGuest        = rejection{http.StatusConflict, "No guest has come in by that device, so there is nothing to keep."}
	errNotGuest       = rejection{http.StatusConflict, "Only an account can be merged that a guest's device alone opens."}
)

var (
	linkFields = slices.Concat(
		[]strictjson.Field{{Name: "link_guest_secret"}, {Name: "link_identity_proof"}}, proofFields,
	)
	mergeFields = slices.Concat(
		[]strictjson.Field{{Name: "merge_guest_secret"}, {Name: "keep"}, {Name: "remember"}}, proofFields,
	)
	upgradeFields = slices.Concat(
		[]strictjson.Field{{Name: "name"}, {Name: "new_password"}, {Name: "remember"}, {Name: "code"}}, identityProofFields,
	)
)

// shownIdentity is an identity that a request shows: a guest's device, by its secret, or an account at a provider, by
// the text of what a node has sealed when that had vouched for the player. The zero one is none.
type shownIdentity struct {
	device rushgate.Credential
	sealed string
}

func (s *shownIdentity) shown() bool { return s.device.Kind != "" || s.sealed != "" }

// identityIn returns the identity in the fields of a request, which may be none.
func identityIn(given strictjson.Values, deviceField, proofField string) (s shownIdentity, err error) {
	text := given.String(deviceField)
	if s.sealed = given.String(proofField); text == "" {
		return s, nil
	}
	if s.sealed != "" {
		return s, malformed{"There is both " + deviceField + " and " + proofField + ": one of them is needed."}
	}
	secret, err := token.ParseGuest(text)
	if err != nil {
		return s, malformed{deviceField + " must be 32 bytes of chance in base64url, 43 characters."}
	}
	s.device = linked.OfGuest(secret.Secret())
	return s, nil
}

// credential returns what an account has that is opened by the identity; the zero Credential for none.
func (h *handler) credential(s *shownIdentity) (rushgate.Credential, error) {
	if s.sealed == "" {
		return s.device, nil
	}
	if h.Providers == nil {
		return rushgate.Credential{}, errNoProvider
	}
	p, err := h.Providers.Open(s.sealed)
	if err != nil {
		return rushgate.Credential{}, h.ofProvider(err)
	}
	return p.Credential(), nil
}

type linkedBody struct {
	Identities []linkedIdentityBody `json:"identities"`
}

type linkedIdentityBody struct {
	Handle  string `json:"handle"`
	Guest   bool   `json:"guest,omitempty"`
	Issuer  string `json:"issuer,omitempty"`
	Subject string `json:"subject,omitempty"`
}

func newLinkedBody(a *rushgate.Account) linkedBody {
	body := linkedBody{Identities: []linkedIdentityBody{}}
	for _, i := range account.IdentitiesOf(a) {
		body.Identities = append(body.Identities, linkedIdentityBody{i.Handle, i.Guest, i.Provider, i.Subject})
	}
	return body
}

// linkingRoutes are those of the identities of an account.
func (h *handler) linkingRoutes() []route {
	return []route{
		{"GET /v1/account/identities", h.ofAccount(h.linkedIdentities)},
		{"POST /v1/account/identities", h.ofAccount(h.link)},
		{"DELETE /v1/account/identities/{handle}", h.ofAccount(h.unlink)},
		{"POST /v1/account/upgrade", h.ofAccount(h.upgrade)},
		{"POST /v1/account/merge", h.ofAccount(h.merge)},
	}
}

// linkedIdentities tells a player which identities open the account.
func (h *handler) linkedIdentities(w http.ResponseWriter, r *http.Request, o owner) error {
	a, err := h.Accounts.Account(r.Context(), o.account())
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, newLinkedBody(&a))
	return nil
}

// linkForm is what a request holds to link an identity: that, and a proof of the account.
type linkForm struct {
	proof
	more shownIdentity
}

func parseLink(body []byte) (f linkForm, err error) {
	given, err := object(body, linkFields...)
	if err != nil {
		return f, err
	}
	if f.more, err = identityIn(given, "link_guest_secret", "link_identity_proof"); err != nil {
		return f, err
	}
	if !f.more.shown() {
		return f, malformed{"One of link_guest_secret and link_identity_proof is needed, which is what is to be linked."}
	}
	f.proof, err = proofIn(given, "password")
	return f, err
}

// link gives the account of a player, who proves it, an identity that is proved as well.
func (h *handler) link(w http.ResponseWriter, r *http.Request, o owner) error {
	f, err := readForm(r, parseLink)
	if err != nil {
		return err
	}
	more, err := h.credential(&f.more)
	if err != nil {
		return err
	}
	if more.Kind == linked.Guest && !h.Guests {
		return errNoGuests
	}
	proved, err := h.prove(r, o, &f.proof)
	if err != nil {
		return err
	}
	if err := h.Accounts.Link(r.Context(), &proved, more, h.from(r)); err != nil {
		return ofLinking(err)
	}
	return h.linkedIdentities(w, r, o)
}

// unlink takes an identity away from the account of a player, who proves it. All sessions and devices end; the player
// who asks gets another session.
func (h *handler) unlink(w http.ResponseWriter, r *http.Request, o owner) error {
	proved, remember, err := h.proveRemoval(r, o)
	if err != nil {
		return err
	}
	if err := h.Accounts.Unlink(r.Context(), &proved, r.PathValue("handle"), h.from(r)); err != nil {
		return ofLinking(err)
	}
	a := &proved.Account
	h.reenter(w, r, auth.Request{Username: a.Username, Player: a.ID, Remember: remember}, a.Epoch+1, false)
	return nil
}

// upgradeForm is what a request holds that makes an account one with a password: a proof by an identity, the password,
// and the name that the account is to have; none if it keeps the one that it has.
type upgradeForm struct {
	proof
	name, next, remember string
}

func parseUpgrade(body []byte, passwordMin int) (f upgradeForm, err error) {
	given, err := object(body, upgradeFields...)
	if err != nil {
		return f, err
	}
	if given.String("name") != "" {
		if f.name, err = rushgate.NewUsername(given.String("name")); err != nil {
			return f, malformed{sentence(err)}
		}
	}
	if f.next, err = rushgate.NewPassword(given.String("new_password"), f.name, passwordMin); err != nil {
		return f, malformed{sentence(err)}
	}
	f.remember = given.String("remember")
	if f.code, err = parseCode(given.String("code")); err != nil {
		return f, err
	}
	if f.identity, err = identityIn(given, "guest_secret", "identity_proof"); err == nil && !f.identity.shown() {
		err = malformed{"One of guest_secret and identity_proof is needed, which opens the account."}
	}
	return f, err
}

// upgrade gives an account that an identity opens a password, and a name if that is wanted: the player and the
// character stay what they are. The password comes first: should the name be taken by then, the player is told, and
// proves the account for another name by the identity, or by the password.
func (h *handler) upgrade(w http.ResponseWriter, r *http.Request, o owner) error {
	f, err := readForm(r, func(body []byte) (upgradeForm, error) { return parseUpgrade(body, h.PasswordMin) })
	if err == nil {
		err = h.remembered(r, f.remember, false)
	}
	if err == nil {
		err = h.takesPasswords()
	}
	if err == nil && f.name != "" && f.name != o.name {
		err = h.mayRename(r, o, f.name)
	}
	if err != nil {
		return err
	}
	request, err := h.errand(r, o, &f.proof)
	if err != nil {
		return err
	}
	request.Kind, request.NewPassword = auth.ChangePassword, f.next
	a, err := h.Pool.Errand(r.Context(), request)
	if err != nil {
		return err
	}
	done := changed{a.ID, a.Username, a.Epoch + 1}
	if f.name != "" && f.name != a.Username {
		if done, err = h.renameTo(r, done, f.name); err != nil {
			return err
		}
	}
	h.reenter(w, r, auth.Request{Username: done.name, Player: done.player, Remember: f.remember}, done.epoch, false)
	return nil
}

// renameTo gives an account that was changed a moment ago the name that its player wants. The one that it gives up is
// held as after any other rename, unless that is a guest's, by which nobody is known.
func (h *handler) renameTo(r *http.Request, c changed, name string) (changed, error) {
	a, err := h.Accounts.Account(r.Context(), account.Owner{Player: c.player, Name: c.name})
	if err != nil {
		return c, err
	}
	leave := h.leave(c.player)
	proved, rules := secondfactor.Proved{Account: a}, h.Names
	if linked.IsGuestName(a.Username) {
		rules.Hold = 0
	}
	renamed, err := h.Accounts.Rename(r.Context(), &proved, name, rules, leave, h.from(r))
	if err != nil {
		return c, ofRename(err)
	}
	return changed{renamed.ID, renamed.Username, renamed.Epoch}, nil
}

// mergeForm is what a request holds that merges a guest into the account of a session.
type mergeForm struct {
	proof
	guest     shownIdentity
	keepGuest bool
	remember  string
}

func parseMerge(body []byte) (f mergeForm, err error) {
	given, err := object(body, mergeFields...)
	if err != nil {
		return f, err
	}
	if f.guest, err = identityIn(given, "merge_guest_secret", ""); err != nil {
		return f, err
	}
	switch keep := given.String("keep"); {
	case !f.guest.shown():
		return f, malformed{"The field merge_guest_secret is needed, which is that of the guest's device."}
	case keep != "guest" && keep != "own":
		return f, malformed{`keep must be "guest" or "own": the character that stays. The other one is lost.`}
	default:
		f.keepGuest = keep == "guest"
	}
	f.remember = given.String("remember")
	f.proof, err = proofIn(given, "password")
	return f, err
}

// merge has a guest become part of the account of a player, who proves it.
func (h *handler) merge(w http.ResponseWriter, r *http.Request, o owner) error {
	f, err := readForm(r, parseMerge)
	if err == nil {
		err = h.remembered(r, f.remember, false)
	}
	if err != nil {
		return err
	}
	if !h.Guests {
		return errNoGuests
	}
	proved, err := h.prove(r, o, &f.proof)
	if err != nil {
		return err
	}
	leave := h.leave(o.player)
	if err := h.Accounts.Merge(r.Context(), &proved, f.guest.device, f.keepGuest, leave, h.from(r)); err != nil {
		return ofLinking(err)
	}
	if !f.keepGuest {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	a := &proved.Account
	h.reenter(w, r, auth.Request{Username: a.Username, Player: a.ID, Remember: f.remember}, a.Epoch, false)
	return nil
}

// ofLinking turns the ledger's errors about identities into those for players.
func ofLinking(err error) error {
	for own, told := range map[error]error{
		account.ErrLinked: errLinked, account.ErrManyIdentities: errManyIdentities, account.ErrNotLinked: errNotLinked,
		account.ErrLastWay: errLastWay, account.ErrNotGuest: errNotGuest, account.ErrNoGuest: errNoGuest,
		account.ErrOtherChoice: errOtherChoice, account.ErrFull: errCredentials, account.ErrInside: errStillIn,
	} {
		if errors.Is(err, own) {
			return told
		}
	}
	return err
}
