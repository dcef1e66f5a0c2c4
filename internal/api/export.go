package api

import (
	"net/http"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/linked"
	"github.com/rushgate/rushgate/internal/opaquerecord"
	"github.com/rushgate/rushgate/internal/passkey"
	"github.com/rushgate/rushgate/internal/secondfactor"
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
	// Credentials are the ways to prove the account, "password" among them.
	Credentials []exportedProof `json:"credentials"`
}

// exportedProof is a way to prove the account: what it is, and since when there is this one, if that is known.
type exportedProof struct {
	Kind  string     `json:"kind"`
	Since *timestamp `json:"since,omitempty"`
	Name  string     `json:"name,omitempty"` // of a passkey
	// Issuer and Subject are of an account at a provider.
	Issuer  string `json:"issuer,omitempty"`
	Subject string `json:"subject,omitempty"`
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
		ExportedAt: timestamp(now), Account: newExportAccount(&a, events), Devices: []deviceBody{},
		History: newEventBodies(events),
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

func newExportAccount(a *rushgate.Account, events []rushgate.AccountEvent) exportAccount {
	addresses := account.AddressesOf(a)
	return exportAccount{
		PlayerID: a.ID, Name: a.Username, CreatedAt: timestamp(a.CreatedAt), DeleteAt: deleteAt(a),
		Email: addresses.Proved, EmailPending: addresses.Pending, Credentials: exportProofs(a, events),
	}
}

// exportProofs returns how a player can prove the account. What a node notes among the credentials for itself, such as
// a code that was sent, is not among them.
func exportProofs(a *rushgate.Account, events []rushgate.AccountEvent) []exportedProof {
	proofs := []exportedProof{}
	add := func(kind string, since time.Time) {
		p := exportedProof{Kind: kind}
		if !since.IsZero() {
			at := timestamp(since)
			p.Since = &at
		}
		proofs = append(proofs, p)
	}
	if a.PasswordHash != "" && !password.IsLocked(a.PasswordHash) {
		add("password", account.PasswordSince(a, events))
	}
	for _, c := range a.Credentials {
		if since, isProof := secondfactor.Since(c); isProof {
			add(c.Kind, since)
		} else if k, isPasskey := passkey.Of(c); isPasskey {
			add(c.Kind, k.Created)
			proofs[len(proofs)-1].Name = k.Name
		} else if c.Kind == opaquerecord.Kind {
			add(c.Kind, account.OpaqueSince(a, events))
		} else if c.Kind == linked.Federated {
			add(c.Kind, time.Time{})
			proofs[len(proofs)-1].Issuer, proofs[len(proofs)-1].Subject = c.Provider, c.Subject
		} else if !account.Notes(c.Kind) && !secondfactor.Unconfirmed(c.Kind) {
			add(c.Kind, time.Time{})
		}
	}
	return proofs
}
