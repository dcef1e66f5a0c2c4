package api

import (
	"net/http"
	"slices"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/password"
)

const (
	// exportCalls is how many exports a player may have within exportWindow, and exportsAtOnce how many a node makes at
	// the same time: each holds as much as a world keeps of a character, and more.
	exportCalls   = 2
	exportWindow  = time.Minute
	exportsAtOnce = 4
)

// exportBody is all that is kept of a player, but for secrets and what operators have written.
type exportBody struct {
	ExportedAt timestamp     `json:"exported_at"`
	Account    exportAccount `json:"account"`
	Character  exportedHero  `json:"character"`
	Devices    []deviceBody  `json:"devices"`
	History    []eventBody   `json:"history"`
}

type exportAccount struct {
	PlayerID     rushgate.PlayerID `json:"player_id"`
	Name         string            `json:"name"`
	CreatedAt    timestamp         `json:"created_at"`
	DeleteAt     *timestamp        `json:"delete_at,omitempty"`
	Email        string            `json:"email,omitempty"`
	EmailPending string            `json:"email_pending,omitempty"`
	// Credentials are the kinds of the ways to prove the account, "password" among them.
	Credentials []string `json:"credentials"`
}

type exportedHero struct {
	Zone       string           `json:"zone"`
	X          float64          `json:"x"`
	Y          float64          `json:"y"`
	Numbers    rushgate.Numbers `json:"numbers"`
	PlaytimeMS int64            `json:"playtime_ms"`
	CreatedAt  timestamp        `json:"created_at"`
	Data       []byte           `json:"data"` // in base64
}

// export answers with all that is kept of the player, as one document.
func (h *handler) export(w http.ResponseWriter, r *http.Request, o owner) error {
	now := time.Now()
	if wait := h.exports.take(o.player, now); wait > 0 {
		return &rushgate.Refusal{Reason: rushgate.RateLimited, RetryAfter: h.Door.After(wait)}
	}
	select {
	case h.exporting <- struct{}{}:
		defer func() { <-h.exporting }()
	default:
		return rushgate.ServerBusy
	}
	text, err := bearerToken(r)
	if err != nil {
		return err
	}
	c, _, err := h.character(r, text) // as it is in the world now, not as it was last saved
	if err != nil {
		return err
	}
	a, err := h.Accounts.Account(r.Context(), o.account())
	if err != nil {
		return err
	}
	events, err := h.Accounts.History(r.Context(), o.account())
	if err != nil {
		return err
	}
	body := exportBody{
		ExportedAt: timestamp(now), Account: newExportAccount(&a), Devices: []deviceBody{}, History: newEventBodies(events),
		Character: exportedHero{
			Zone: c.Zone, X: finite(c.X), Y: finite(c.Y), Numbers: c.Numbers.Clone(),
			PlaytimeMS: c.Playtime.Milliseconds(), CreatedAt: timestamp(c.CreatedAt), Data: append([]byte{}, c.Data...),
		},
	}
	for _, d := range account.Remembered(&a, now) {
		body.Devices = append(body.Devices, newDeviceBody(&d, ""))
	}
	w.Header().Set("Content-Disposition", `attachment; filename="account.json"`)
	writeJSON(w, http.StatusOK, body)
	return nil
}

func newExportAccount(a *rushgate.Account) exportAccount {
	out := exportAccount{
		PlayerID: a.ID, Name: a.Username, CreatedAt: timestamp(a.CreatedAt), DeleteAt: deleteAt(a), Credentials: []string{},
	}
	if a.PasswordHash != "" && !password.IsLocked(a.PasswordHash) {
		out.Credentials = append(out.Credentials, "password")
	}
	for _, c := range a.Credentials {
		switch c.Kind {
		case account.Deleting: // which is DeleteAt
		case account.Email:
			out.Email = c.Subject
		case account.EmailPending:
			out.EmailPending = c.Subject
		default:
			if !slices.Contains(out.Credentials, c.Kind) {
				out.Credentials = append(out.Credentials, c.Kind)
			}
		}
	}
	return out
}
