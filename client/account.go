package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/rushgate/rushgate"
)

// ErrPasswordChanged says that a password was changed, and that the server could open no session for the player in
// place of the one that the change has ended: the player logs in with the new one.
var ErrPasswordChanged = errors.New("the password is changed; log in with it")

// Account is what a player sees of the account.
type Account struct {
	ID        rushgate.PlayerID
	Name      string
	CreatedAt time.Time
	// Devices are those that the account is remembered on, at most [rushgate.MaxDevices].
	Devices []RememberedDevice
	// DeleteAt is when the account is deleted because its player has asked for it; the zero time if it is not.
	DeleteAt time.Time
	// RenameAt is from when on the player may rename the account again; the zero time if that is now.
	RenameAt time.Time
}

// RememberedDevice is one that the player need not type the password on.
type RememberedDevice struct {
	// Handle is for [Session.ForgetDevice]. It is no secret.
	Handle string
	// Label is what the player has called the device.
	Label string
	// CreatedAt is when it was remembered, UsedAt when it came in last, and ExpiresAt until when it is remembered unless
	// it comes in before.
	CreatedAt, UsedAt, ExpiresAt time.Time
}

// ChangePassword gives the account another password. The change ends all sessions of the account and has its devices
// forgotten; this Session goes on with another one that the server opens for it, and the device is remembered anew if
// [Options].Remember says so. A [Realtime] of the session ends: connect anew. If the account has a second factor, the
// player is asked by [Options].Code.
//
// An account that is proved by OPAQUE is given another record. It tries again as [Client.Login] does while the server
// is busy or does not answer, but for the beginning of a proof by OPAQUE, which is tried once.
// [rushgate.BadCredentials] says that the current password is wrong, or that the session has ended; after tries
// without an answer, the password may have been changed all the same. The error is [ErrPasswordChanged] if the change
// was made and the session is over. [rushgate.MissingCredentials] says that the new password is not taken, and why.
func (s Session) ChangePassword(ctx context.Context, current, next string) error {
	const op = "change password"
	if err := notText(current, next); err != nil {
		return err
	}
	var r replacement
	return s.proving(ctx, op, ByPassword(current), func(p shown) error {
		if p.byOpaque() {
			return s.replaceRecord(ctx, op, p, next, &r)
		}
		return s.changePassword(ctx, op, current, next, p.Code)
	})
}

// changePassword tries with one code until there is an answer that will not be another.
func (s Session) changePassword(ctx context.Context, op, current, next, code string) error {
	c := s.client
	attempt := c.opts.AttemptID()
	if !rushgate.ValidAttempt(attempt) {
		return fmt.Errorf("client: %s: Options.AttemptID returned an invalid attempt id", op)
	}
	r, err := post(op, "/v1/account/password", struct {
		Current  string `json:"current"`
		Code     string `json:"code,omitempty"`
		New      string `json:"new"`
		Attempt  string `json:"attempt_id"`
		Remember string `json:"remember,omitempty"`
	}{current, code, next, attempt, c.opts.Remember}, current, code, next)
	if err != nil {
		return err
	}
	return s.tryChange(ctx, r, attempt)
}

// tryChange sends a change of the password until there is an answer that will not be another.
func (s Session) tryChange(ctx context.Context, r request, attempt string) error {
	c, op := s.client, r.op
	k := c.newCall(entry{op: op}, "", "", attempt)
	for try := 1; ; try++ {
		err := s.replaced(ctx, r, ErrPasswordChanged)
		if err == nil || !retryable(err) {
			return err
		}
		refusal, _ := errors.AsType[*rushgate.Refusal](err)
		if err := k.tooBusy(try, try, refusal, err); err != nil {
			return err
		}
		if c.opts.MaxRetries <= 0 {
			return err
		}
		if err := k.pause(ctx, try, refusal, err); err != nil {
			return fmt.Errorf("client: %s: %w", op, err)
		}
	}
}

// Account returns the player's account, and keeps the session open. It is tried once. The server answers a few such
// calls in half a minute, and others with [rushgate.RateLimited].
func (s Session) Account(ctx context.Context) (Account, error) {
	r := request{op: "account", method: http.MethodGet, path: "/v1/account"}
	ans, err := s.call(ctx, &r)
	if err != nil {
		return Account{}, err
	}
	var body struct {
		PlayerID  rushgate.PlayerID `json:"player_id"`
		Name      string            `json:"name"`
		CreatedAt time.Time         `json:"created_at"`
		Devices   []struct {
			Handle    string    `json:"handle"`
			Label     string    `json:"label"`
			CreatedAt time.Time `json:"created_at"`
			UsedAt    time.Time `json:"used_at"`
			ExpiresAt time.Time `json:"expires_at"`
		} `json:"devices"`
		DeleteAt time.Time `json:"delete_at"`
		RenameAt time.Time `json:"rename_at"`
	}
	if err := r.decode(ans, &body, http.StatusOK); err != nil {
		return Account{}, err
	}
	if body.PlayerID != s.PlayerID {
		return Account{}, r.bad("the account of player %d, not %d", body.PlayerID, s.PlayerID)
	}
	a := Account{ID: body.PlayerID, Name: body.Name, CreatedAt: body.CreatedAt, DeleteAt: body.DeleteAt}
	a.RenameAt = body.RenameAt
	for _, d := range body.Devices {
		a.Devices = append(a.Devices, RememberedDevice(d))
	}
	return a, nil
}

// ForgetDevice has the account forget a device, and ends the session that the device has opened. It is tried once. A
// device that there is not, or no longer, is [rushgate.MissingCredentials].
func (s Session) ForgetDevice(ctx context.Context, handle string) error {
	return s.do(ctx, request{
		op: "forget device", method: http.MethodDelete, path: "/v1/account/devices/" + url.PathEscape(handle),
	})
}

// LogOutEverywhere ends all sessions of the account, this one included, and has all its devices forgotten. It is tried
// once.
func (s Session) LogOutEverywhere(ctx context.Context) error {
	s.grant.leave(true)
	err := s.do(ctx, request{op: "log out everywhere", method: http.MethodPost, path: "/v1/account/logout-everywhere"})
	if err != nil {
		s.grant.leave(false)
		return err
	}
	if s.client.remembers(s.PlayerID) {
		s.client.setDevice(device{})
	}
	return nil
}

// DeleteAccount has the account deleted with all that is kept of the player, and returns when that will be: until then
// the player can log in and take it back with [Session.KeepAccount]. The session is over, and no device is remembered.
// It is tried once; if the account has a second factor, the player is asked by [Options].Code.
// [rushgate.BadCredentials] says that the password is wrong, or that the session has ended; without an answer, log in
// to see [Account].DeleteAt. An account without a password is [rushgate.MissingCredentials].
func (s Session) DeleteAccount(ctx context.Context, password string) (time.Time, error) {
	return s.DeleteAccountBy(ctx, ByPassword(password))
}

// DeleteAccountBy is a [Session.DeleteAccount] by any proof of the account, as for a guest, who has no password.
func (s Session) DeleteAccountBy(ctx context.Context, by AccountProof) (time.Time, error) {
	const op = "delete account"
	var body struct {
		DeleteAt time.Time `json:"delete_at"`
	}
	err := s.proving(ctx, op, by, func(p shown) error {
		r, err := post(op, "/v1/account/delete", p, p.secrets()...)
		if err != nil {
			return err
		}
		return s.sendProof(ctx, r, &body, http.StatusOK)
	})
	if err != nil {
		return time.Time{}, err
	}
	s.grant.leave(true)
	if s.client.remembers(s.PlayerID) {
		s.client.setDevice(device{})
	}
	return body.DeleteAt, nil
}

// AccountEvent is something that has happened to the account.
type AccountEvent struct {
	At time.Time `json:"at"`
	// Kind says what it was, such as "login" or "password-changed".
	Kind string `json:"kind"`
	// SignIn says that the player came in, and ByOperator that it was not the player who did it.
	SignIn     bool `json:"sign_in"`
	ByOperator bool `json:"by_operator"`
	// Address and Device say where it came from; either may be empty.
	Address string `json:"address"`
	Device  string `json:"device"`
}

// AccountHistory returns what has happened to the account, the newest first. It is tried once. The server notes it some
// moments later than it happens.
func (s Session) AccountHistory(ctx context.Context) ([]AccountEvent, error) {
	r := request{op: "account history", method: http.MethodGet, path: "/v1/account/history"}
	ans, err := s.call(ctx, &r)
	if err != nil {
		return nil, err
	}
	var body struct {
		Events []AccountEvent `json:"events"`
	}
	err = r.decode(ans, &body, http.StatusOK)
	return body.Events, err
}

// ExportAccount returns all that the server keeps of the player, without secrets, as a JSON document: its form is that
// of Export in the OpenAPI document. It is tried once. The server makes two in a minute, and answers others with
// [rushgate.RateLimited].
func (s Session) ExportAccount(ctx context.Context) (json.RawMessage, error) {
	r := request{op: "export account", method: http.MethodGet, path: "/v1/account/export"}
	ans, err := s.call(ctx, &r)
	if err != nil {
		return nil, err
	}
	var document json.RawMessage
	err = r.decode(ans, &document, http.StatusOK)
	return document, err
}

// KeepAccount takes back that the account is to be deleted. It is tried once, and no error if it is not.
func (s Session) KeepAccount(ctx context.Context) error {
	return s.do(ctx, request{op: "keep account", method: http.MethodPost, path: "/v1/account/keep"})
}

// do sends a request of the session that is answered without a body.
func (s Session) do(ctx context.Context, r request) error {
	ans, err := s.call(ctx, &r)
	if err != nil || ans.status == http.StatusNoContent {
		return err
	}
	return r.refusal(ans)
}
