package api

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/opaquerecord"
	"github.com/rushgate/rushgate/internal/token"
	"github.com/rushgate/rushgate/password"
)

const (
	// accountCalls is how many calls about the account its player may make within accountWindow.
	accountCalls  = 20
	accountWindow = 30 * time.Second
)

var (
	errNoDevice   = rejection{http.StatusNotFound, "The account is not remembered on this device."}
	errNoAccounts = rejection{http.StatusNotFound, "Accounts cannot be looked after here."}
)

// accountBody is what a player is told of the account.
type accountBody struct {
	PlayerID  rushgate.PlayerID `json:"player_id"`
	Name      string            `json:"name"`
	CreatedAt timestamp         `json:"created_at"`
	Devices   []deviceBody      `json:"devices"`
	DeleteAt  *timestamp        `json:"delete_at,omitempty"` // only if the player has asked for it
	RenameAt  *timestamp        `json:"rename_at,omitempty"` // only if it cannot be renamed before
	ProvedBy  string            `json:"proved_by"`           // what a client shows that proves the account
}

// newDeviceBody is what a player is told of a device, given the id of the one that asks.
func newDeviceBody(d *rushgate.Device, this string) deviceBody {
	return deviceBody{
		Handle: account.Handle(d), Label: d.Label, CreatedAt: timestamp(d.CreatedAt), UsedAt: timestamp(d.UsedAt),
		ExpiresAt: timestamp(d.ExpiresAt), This: token.Same(d.ID, this),
	}
}

type deviceBody struct {
	Handle    string    `json:"handle"`
	Label     string    `json:"label"`
	CreatedAt timestamp `json:"created_at"`
	UsedAt    timestamp `json:"used_at"`
	ExpiresAt timestamp `json:"expires_at"`
	This      bool      `json:"this,omitempty"`
}

// accountRoutes are what players may do with their accounts while they are inside.
func (h *handler) accountRoutes() []route {
	return []route{
		{"GET /v1/account", h.ofAccount(h.account)},
		{"POST /v1/account/password", h.changePassword},
		{"POST " + cookiePassword, h.changePassword},
		{"POST /v1/account/logout-everywhere", h.bare(h.ofAccount(h.logoutEverywhere))},
		{"DELETE /v1/account/devices/{handle}", h.bare(h.ofAccount(h.forgetDevice))},
		{"GET /v1/account/history", h.ofAccount(h.history)},
		{"GET /v1/account/export", h.ofAccount(h.export)},
		{"POST /v1/account/delete", h.ofAccount(h.deleteAccount)},
		{"POST /v1/account/keep", h.bare(h.ofAccount(h.keepAccount))},
		{"POST /v1/account/name", h.ofAccount(h.rename)},
	}
}

// owner is the player of a session.
type owner struct {
	player rushgate.PlayerID
	name   string
}

func (o owner) account() account.Owner { return account.Owner{Player: o.player, Name: o.name} }

// owner returns the player of the request's session, which goes on here if the node that had it is gone.
func (h *handler) owner(r *http.Request) (owner, error) {
	if h.Accounts == nil {
		return owner{}, errNoAccounts
	}
	text, err := bearerToken(r)
	if err != nil {
		return owner{}, err
	}
	c, _, err := h.character(r, text)
	return owner{c.ID, c.Name}, err
}

// ofAccount serves a call about the account of the request's session, of which there may be a few in a while.
func (h *handler) ofAccount(serve func(http.ResponseWriter, *http.Request, owner) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		o, err := h.owner(r)
		if err == nil {
			err = h.mayCall(o)
		}
		if err == nil {
			HoldConn(r.Context()) // it waits for the store
			err = ofLedger(serve(w, r, o))
		}
		if err != nil {
			h.refuse(w, err)
		}
	}
}

// ofLedger turns the ledger's errors into those for players.
func ofLedger(err error) error {
	switch {
	case errors.Is(err, account.ErrNoDevice):
		return errNoDevice
	case errors.Is(err, account.ErrUnknown): // it was deleted a moment ago
		return rushgate.BadCredentials
	case errors.Is(err, account.ErrBusy), errors.Is(err, rushgate.ErrUnavailable), errors.Is(err, rushgate.ErrAgendaFull):
		return rushgate.ServerBusy
	}
	return err
}

func (h *handler) mayCall(o owner) error {
	if wait := h.calls.take(o.player, time.Now()); wait > 0 {
		return &rushgate.Refusal{Reason: rushgate.RateLimited, RetryAfter: h.Door.After(wait)}
	}
	return nil
}

// account tells a player of the account, and of the devices that it is remembered on.
func (h *handler) account(w http.ResponseWriter, r *http.Request, o owner) error {
	a, err := h.Accounts.Account(r.Context(), o.account())
	if err != nil {
		return err
	}
	var this string
	if text, ok := h.cookie(r); ok {
		if t, err := token.ParseResume(text); err == nil {
			this = t.Device()
		}
	}
	body := accountBody{
		PlayerID: a.ID, Name: a.Username, CreatedAt: timestamp(a.CreatedAt), Devices: []deviceBody{},
		DeleteAt: deleteAt(&a), RenameAt: h.renameAt(&a), ProvedBy: provedBy(&a),
	}
	for _, d := range account.Remembered(&a, time.Now()) {
		body.Devices = append(body.Devices, newDeviceBody(&d, this))
	}
	writeJSON(w, http.StatusOK, body)
	return nil
}

// provedBy is what a client shows that proves an account.
func provedBy(a *rushgate.Account) string {
	switch {
	case opaquerecord.Has(a.Credentials):
		return "opaque"
	case a.PasswordHash != "" && !password.IsLocked(a.PasswordHash):
		return "password"
	case len(account.IdentitiesOf(a)) > 0:
		return "identity"
	}
	return "nothing"
}

// forgetDevice has the account forget a device.
func (h *handler) forgetDevice(w http.ResponseWriter, r *http.Request, o owner) error {
	if err := h.Accounts.ForgetDevice(r.Context(), o.account(), r.PathValue("handle"), h.from(r)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// logoutEverywhere ends all that lets the player in without the password, this session included.
func (h *handler) logoutEverywhere(w http.ResponseWriter, r *http.Request, o owner) error {
	if err := h.Accounts.LogOutEverywhere(r.Context(), o.account(), h.from(r)); err != nil {
		return err
	}
	h.sendOut(r, o)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// sendOut ends the session of a request whose account has another epoch now. It would end by itself a moment later.
func (h *handler) sendOut(r *http.Request, o owner) {
	if err := h.Realm.End(r.Context(), o.player); err != nil && !errors.Is(err, rushgate.BadCredentials) {
		if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
			h.Logger.Warn("a session ends a moment later than its player was told", "player", o.player, "error", err)
		}
	}
}

// calls counts calls by player within a window, of which there may be most. Only players who are inside are counted,
// which bounds it.
type calls struct {
	most   int
	window time.Duration

	mu    sync.Mutex
	since time.Time
	made  map[rushgate.PlayerID]int
}

// take counts a call, or returns for how long there may be no further one.
func (c *calls) take(player rushgate.PlayerID, now time.Time) (wait time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.made == nil || now.Sub(c.since) >= c.window || now.Before(c.since) {
		c.since, c.made = now, make(map[rushgate.PlayerID]int)
	}
	if c.made[player] >= c.most {
		return c.since.Add(c.window).Sub(now)
	}
	c.made[player]++
	return 0
}
