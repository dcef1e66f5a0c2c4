package client

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/rushgate/rushgate"
)

const linkedPath = "/v1/account/identities"

var (
	// ErrUnlinked says that an identity was unlinked, and that the server could open no session for the player in place of
	// the one that this has ended: the player comes in anew.
	ErrUnlinked = errors.New("the identity is unlinked; log in again")
	// ErrMerged says the same of a guest who was merged into the account.
	ErrMerged = errors.New("the guest is merged into the account; log in again")
)

// LinkedIdentity is one that opens the account of a player, in place of a name and a password.
type LinkedIdentity struct {
	// Handle is for [Session.Unlink]. It is no secret.
	Handle string
	// Guest says that it is a device that plays as a guest. Otherwise Issuer is who vouches for the player, by a URL or by
	// "game:" and the name of a prover, and Subject what it calls the player.
	Guest           bool
	Issuer, Subject string
}

// Identities returns those that open the account, in the order in which they were linked. It is tried once.
func (s Session) Identities(ctx context.Context) ([]LinkedIdentity, error) {
	r := request{op: "identities", method: http.MethodGet, path: linkedPath}
	ans, err := s.call(ctx, &r)
	if err != nil {
		return nil, err
	}
	var body linkedBody
	err = r.decode(ans, &body, http.StatusOK)
	return body.list(), err
}

type linkedBody struct {
	Identities []struct {
		Handle  string `json:"handle"`
		Guest   bool   `json:"guest"`
		Issuer  string `json:"issuer"`
		Subject string `json:"subject"`
	} `json:"identities"`
}

func (b *linkedBody) list() (all []LinkedIdentity) {
	for _, i := range b.Identities {
		all = append(all, LinkedIdentity(i))
	}
	return all
}

// LinkIdentity has an identity for which a provider vouches open the account from now on, beside what opens it already,
// and returns all of them. It takes a proof of the account, and the code that [Options].Code asks the player for if
// there is a second factor. It is tried once, and no error if the account has the identity.
//
// An error that wraps [ErrBeginAgain] says that one of the two proofs is too old. Other errors with
// [rushgate.MissingCredentials] say in their words that the identity opens another account, or that this one has as
// many as it may; [rushgate.BadCredentials] is a proof that proves nothing, or the end of the session, and
// [rushgate.ServerBusy] worth trying again.
func (s Session) LinkIdentity(ctx context.Context, proof IdentityProof, by AccountProof) ([]LinkedIdentity, error) {
	if proof.IsZero() {
		return nil, &rushgate.Refusal{Reason: rushgate.MissingCredentials, Cause: ErrNotIdentityProof}
	}
	return s.link(ctx, "", proof.Text(), by)
}

// LinkGuest is a [Session.LinkIdentity] of a device that plays as a guest, which makes its secret as for
// [Client.Guest]. One that has come in as a guest before has an account of its own: see [Session.Merge].
func (s Session) LinkGuest(ctx context.Context, device Guest, by AccountProof) ([]LinkedIdentity, error) {
	if device.IsZero() {
		return nil, &rushgate.Refusal{Reason: rushgate.MissingCredentials, Cause: ErrNotGuest}
	}
	return s.link(ctx, device.Text(), "", by)
}

func (s Session) link(ctx context.Context, device, proof string, by AccountProof) ([]LinkedIdentity, error) {
	const op = "link an identity"
	var body linkedBody
	err := s.proving(ctx, op, by, func(p shown) error {
		r, err := post(op, linkedPath, struct {
			Guest string `json:"link_guest_secret,omitempty"`
			Proof string `json:"link_identity_proof,omitempty"`
			shown
		}{device, proof, p}, append(p.secrets(), device, proof)...)
		if err != nil {
			return err
		}
		return s.sendProof(ctx, r, &body, http.StatusOK)
	})
	return body.list(), err
}

// Unlink takes away what opens the account by the handle of a [LinkedIdentity], with a proof of the account that may be
// that very one. All sessions and devices of the account end, as something that was linked may have opened them; this
// Session goes on with another one that the server opens for it, and the device is remembered anew if
// [Options].Remember says so. A [Realtime] of the session ends: connect anew.
//
// It is tried once. The error is [ErrUnlinked] if it was done and the session is over. [rushgate.MissingCredentials]
// says in its words that the account has no such identity, or that nothing else opens it: [Session.Upgrade] gives it a
// password.
func (s Session) Unlink(ctx context.Context, handle string, by AccountProof) error {
	const op = "unlink an identity"
	return s.proving(ctx, op, by, func(p shown) error {
		r, err := post(op, linkedPath+"/"+url.PathEscape(handle), struct {
			shown
			Remember string `json:"remember,omitempty"`
		}{p, s.client.opts.Remember}, p.secrets()...)
		if err != nil {
			return err
		}
		r.method = http.MethodDelete
		return s.replaced(ctx, r, ErrUnlinked)
	})
}

// Keep says which character stays of two.
type Keep string

// What a merge can keep.
const (
	// KeepOwn keeps the character of the account: that of the guest is lost.
	KeepOwn Keep = "own"
	// KeepGuest keeps the character of the guest: that of the account is lost.
	KeepGuest Keep = "guest"
)

// Merge has a guest become part of the account: the player has played as one, by the secret of a device, before it was
// linked. One of the two characters stays, and is the player's choice; all devices of the guest open the account from
// then on, and the guest's account is gone. It takes a proof of the account, not of the guest beyond the secret.
//
// With [KeepGuest] the session ends, as after [Session.Unlink], and the error is [ErrMerged] if there is none in its
// place.
//
// It is tried once, and worth repeating after [rushgate.ServerBusy] and a lost answer: the server goes on from where it
// was. The session may have ended by then, so that the answer is [rushgate.BadCredentials]: the player comes in again
// first. [rushgate.MissingCredentials] says in its words why it cannot be: above all that something else opens the
// guest's account, too, that there is no room for its devices, or that a merge was begun which keeps the other
// character.
func (s Session) Merge(ctx context.Context, guest Guest, keep Keep, by AccountProof) error {
	const op = "merge a guest"
	if guest.IsZero() {
		return &rushgate.Refusal{Reason: rushgate.MissingCredentials, Cause: ErrNotGuest}
	}
	return s.proving(ctx, op, by, func(p shown) error {
		r, err := post(op, "/v1/account/merge", struct {
			Guest string `json:"merge_guest_secret"`
			Keep  Keep   `json:"keep"`
			shown
			Remember string `json:"remember,omitempty"`
		}{guest.Text(), keep, p, s.client.opts.Remember}, append(p.secrets(), guest.Text())...)
		if err != nil {
			return err
		}
		if keep == KeepGuest {
			return s.replaced(ctx, r, ErrMerged)
		}
		return s.sendProof(ctx, r, nil)
	})
}
