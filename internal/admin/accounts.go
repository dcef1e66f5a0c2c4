package admin

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/rushgate/rushgate"
)

// Bounds of a request to delete accounts.
const (
	maxDeleteNames = 1000
	maxDeleteBody  = 256 << 10 // bytes
	deletesAtOnce  = 32
)

// DeleteAccounts returns the handler of POST /accounts/delete, which deletes the accounts of {"names": [...]}, in
// canonical form and at most 1000, for ever unless their players are logged in. It answers how many were deleted, were
// unknown, and were kept because their players are inside.
func DeleteAccounts(store rushgate.Store, log *slog.Logger) http.Handler {
	return http.NewCrossOriginProtection().Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Names []string `json:"names"`
		}
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxDeleteBody)).Decode(&in); err != nil ||
			len(in.Names) > maxDeleteNames {
			http.Error(w, `want {"names": [...]} with at most 1000 of them`, http.StatusBadRequest)
			return
		}
		out, err := deleteAccounts(r.Context(), store, in.Names)
		if out.Deleted > 0 {
			log.Info("accounts deleted", "number", out.Deleted, "first_asked_for", in.Names[0])
		}
		if err != nil {
			log.Error("deleting accounts", "error", err)
			http.Error(w, "the store failed; see the log", http.StatusInternalServerError)
			return
		}
		body, err := json.Marshal(out)
		if err != nil {
			http.Error(w, "the answer cannot be written as JSON", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write(append(body, '\n'))
	}))
}

// deletion says what became of accounts that were to be deleted.
type deletion struct {
	Deleted int `json:"deleted"`
	Unknown int `json:"unknown"`
	Inside  int `json:"inside"`
}

func deleteAccounts(ctx context.Context, store rushgate.Store, names []string) (d deletion, err error) {
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(deletesAtOnce)
	for _, name := range names {
		group.Go(func() error {
			err := store.DeleteAccount(ctx, name)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case errors.Is(err, rushgate.BadCredentials):
				d.Unknown++
			case errors.Is(err, rushgate.AlreadyLoggedIn):
				d.Inside++
			case err != nil:
				return err
			default:
				d.Deleted++
			}
			return nil
		})
	}
	err = group.Wait()
	return d, err
}
