package admin

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/internal/strictjson"
)

// maxLockouts is how many lockouts one request is shown.
const maxLockouts = 200

// lockoutBody is a lockout as the page, and whatever else asks, sees it.
type lockoutBody struct {
	ID     uint64    `json:"id"`
	Kind   string    `json:"kind"`             // pair, origin or account, see [door.LockKind]
	Origin string    `json:"origin,omitempty"` // the network that is kept out, in CIDR notation
	Name   string    `json:"name,omitempty"`   // the account that it is kept from
	Until  time.Time `json:"until"`
}

func newLockoutBody(l door.Lockout) lockoutBody {
	b := lockoutBody{ID: l.ID, Kind: l.Kind.String(), Name: l.Name, Until: l.Until.UTC()}
	if l.Origin.IsValid() {
		b.Origin = l.Origin.String()
	}
	return b
}

// serveLockouts shows what is locked out at the door, and lifts it.
func serveLockouts(mux *routes, d *door.Door, logger *slog.Logger) {
	mux.HandleFunc("GET /lockouts", func(w http.ResponseWriter, _ *http.Request) {
		out := struct {
			Lockouts []lockoutBody `json:"lockouts"`
			More     int           `json:"more"` // that run and are not shown
		}{Lockouts: []lockoutBody{}}
		for _, l := range d.Lockouts(maxLockouts) {
			out.Lockouts = append(out.Lockouts, newLockoutBody(l))
		}
		out.More = max(d.Stats().Locked-len(out.Lockouts), 0)
		w.Header().Set("Cache-Control", "no-store")
		writeJSON(w, http.StatusOK, out)
	})
	mux.HandleFunc("POST /lockouts/lift", func(w http.ResponseWriter, r *http.Request) {
		hasID := func(in strictjson.Values) bool { return in.Number("id") != 0 }
		in, ok := read(w, r, maxOrder, `{"id": ...}`, hasID, strictjson.Field{Name: "id", Kind: strictjson.Number})
		if !ok {
			return
		}
		l, err := d.Lift(in.Number("id"))
		if err != nil {
			writeProblem(w, http.StatusNotFound, "there is no such lockout; it may have ended")
			return
		}
		body := newLockoutBody(l)
		logger.Warn("the operator has lifted a lockout", "from", origin(r).Addr(), "kind", body.Kind,
			"origin", body.Origin, "username", body.Name)
		writeJSON(w, http.StatusOK, body)
	})
}
