package admin

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/rushgate/rushgate/internal/door"
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
func serveLockouts(mux *routes, d *door.Door, a *acts) {
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
	mux.HandleFunc("POST /lockouts/{id}/lift", func(w http.ResponseWriter, r *http.Request) {
		if _, ok := readNothing(w, r); !ok {
			return
		}
		id, err := strconv.ParseUint(r.PathValue("id"), 10, 64)
		if err != nil {
			answerOrder(w, 0, nil, errNoLockout)
			return
		}
		a.carryOut(w, r, act{what: "lockout.lift"}, func(context.Context) (any, error) {
			l, err := d.Lift(id)
			if err != nil {
				return nil, errNoLockout
			}
			return newLockoutBody(l), nil
		})
	})
}

var errNoLockout = errors.New("there is no such lockout; it may have ended")
