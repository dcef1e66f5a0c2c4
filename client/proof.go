package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"unicode/utf8"

	"github.com/rushgate/rushgate"
)

// shown is what proves an account in a request: the password, or what a proof by OPAQUE is finished with, and a code if
// the account has a second factor.
type shown struct {
	Password string `json:"password,omitempty"`
	State    string `json:"login_state,omitempty"`
	KE3      string `json:"ke3,omitempty"`
	Guest    string `json:"guest_secret,omitempty"`
	Identity string `json:"identity_proof,omitempty"`
	Code     string `json:"code,omitempty"`
}

// shownAsCurrent is the same for requests that call the password the current one.
type shownAsCurrent struct {
	Password string `json:"current,omitempty"`
	State    string `json:"login_state,omitempty"`
	KE3      string `json:"ke3,omitempty"`
	Guest    string `json:"guest_secret,omitempty"`
	Identity string `json:"identity_proof,omitempty"`
	Code     string `json:"code,omitempty"`
}

func (p *shown) byOpaque() bool   { return p.State != "" }
func (p *shown) byIdentity() bool { return p.Guest != "" || p.Identity != "" }
func (p *shown) secrets() []string {
	return []string{p.Password, p.State, p.KE3, p.Guest, p.Identity, p.Code}
}

// AccountProof is what a player who is inside proves by that the account is the player's own: a session alone may have
// been left open on another's device. It is made by [ByPassword], [ByGuest] or [ByIdentity]. The zero value proves
// nothing, and is refused with [rushgate.MissingCredentials] before anything is sent.
type AccountProof struct {
	of func() shown // a function, since fmt prints what fields hold, but never what a function returns
}

// ByPassword is the proof by the account's password. Where [Options].Opaque says so, it is not shown to the server.
func ByPassword(password string) AccountProof {
	return AccountProof{func() shown { return shown{Password: password} }}
}

// ByGuest is the proof by the secret of a device that plays as a guest, which opens the account.
func ByGuest(secret Guest) AccountProof {
	return AccountProof{func() shown { return shown{Guest: secret.Text()} }}
}

// ByIdentity is the proof by a provider that vouches for the player, of an identity that opens the account.
func ByIdentity(proof IdentityProof) AccountProof {
	return AccountProof{func() shown { return shown{Identity: proof.Text()} }}
}

var errNoAccountProof = errors.New("no proof of the account: make one by ByPassword, ByGuest or ByIdentity")

// shows returns what the proof shows, without a code.
func (p AccountProof) shows() shown {
	if p.of == nil {
		return shown{}
	}
	return p.of()
}

// String says nothing of what proves.
func (p AccountProof) String() string { return "[proof of an account]" }

// GoString is [AccountProof.String] for the verb %#v.
func (p AccountProof) GoString() string { return "client.AccountProof{" + p.String() + "}" }

// LogValue is [AccountProof.String] for log/slog.
func (p AccountProof) LogValue() slog.Value { return slog.StringValue(p.String()) }

// show returns what proves that the account of the session is the player's: of a password, a proof by OPAQUE where the
// client uses that and the account has one, or else the password, if that may be shown. The errors are as for a request
// that shows it.
func (s Session) show(ctx context.Context, op string, by AccountProof) (shown, error) {
	c, p := s.client, by.shows()
	if by.of == nil {
		return p, &rushgate.Refusal{Reason: rushgate.MissingCredentials, Cause: errNoAccountProof}
	}
	if c.opts.Opaque == OpaqueOff || p.byIdentity() {
		return p, notText(p.Password)
	}
	form, err := opaquePassword(p.Password)
	if err != nil {
		return shown{}, err
	}
	b, err := c.prove(ctx, s.call, request{op: op, path: opaqueConfirmPath + "start"}, nil, form, &Answer{})
	if err == nil {
		c.noteMoved("", s.PlayerID)
		return shown{State: b.State, KE3: b.Message}, nil
	}
	if err := c.mayShow(err, op, s.ByOpaque()); err != nil {
		return shown{}, err
	}
	return p, nil
}

// proving sends what takes the proof of an account and, if that has a second factor, a code: send is called without one
// first, and again with what the player answers to [Options].Code, as at a login.
func (s Session) proving(ctx context.Context, op string, by AccountProof, send func(shown) error) error {
	p, err := s.show(ctx, op, by)
	if err != nil {
		return err
	}
	for asked := 0; ; asked++ {
		err := send(p)
		if !errors.Is(err, rushgate.SecondFactor) || s.client.opts.Code == nil || asked == mostCodes {
			return err
		}
		code, err := s.client.opts.Code(ctx)
		if err != nil {
			return fmt.Errorf("client: %s: %w: %w", op, rushgate.SecondFactor, err)
		}
		if p.byOpaque() && asked > 0 { // a wrong code has used the proof up
			if p, err = s.show(ctx, op, by); err != nil {
				return err
			}
		}
		p.Code = code
	}
}

// sendProof sends a request that has shown a proof, and reads a success with one of the given statuses into v, if that
// is not nil. That the proof was wrong is no end of the session.
func (s Session) sendProof(ctx context.Context, r request, v any, statuses ...int) error {
	ans, err := s.call(ctx, &r)
	if err != nil {
		return err
	}
	r.secrets, r.token = append(r.secrets, r.token), ""
	if v != nil {
		return r.decode(ans, v, statuses...)
	}
	if ans.status == http.StatusNoContent || ans.status == http.StatusAccepted {
		return nil
	}
	return r.refusal(ans)
}

// notText is the refusal of what the server could not take for text.
func notText(texts ...string) error {
	for _, s := range texts {
		if !utf8.ValidString(s) {
			return &rushgate.Refusal{Reason: rushgate.MissingCredentials, Cause: errors.New("not UTF-8")}
		}
	}
	return nil
}
