package redis

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/redistest"
	"github.com/rushgate/rushgate/store/storetest"
)

func TestConformance(t *testing.T) {
	t.Run("Single", func(t *testing.T) { conformance(t, redistest.Start(t).URL()) })
	t.Run("Cluster", func(t *testing.T) { conformance(t, redistest.StartCluster(t).URLs()...) })
}

// conformance runs the suite against a server, with another prefix for each store that has to be empty.
func conformance(t *testing.T, urls ...string) {
	c := storetest.NewClock()
	open := func(t *testing.T, prefix string) rushgate.Store {
		t.Helper()
		s, err := Open(t.Context(), Options{
			URLs: urls, Prefix: prefix, Logger: quiet(), clock: c.Now, patience: 20 * time.Second,
			Boards: storetest.Boards(),
		})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	storetest.Run(t, storetest.Harness{
		Open: func(t *testing.T) rushgate.Store {
			t.Helper()
			return open(t, rand.Text()+":")
		},
		Reopen: func(t *testing.T, s rushgate.Store) rushgate.Store {
			t.Helper()
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return open(t, s.(*Store).prefix)
		},
		NamesOnly: true,
		Advance:   c.Advance,
	})
}

// openStore opens a store that is closed with the test.
func openStore(t testing.TB, opts Options) *Store {
	t.Helper()
	opts.lookEvery = cmp.Or(opts.lookEvery, 24*time.Hour) // looks are the test's own
	s, err := Open(context.Background(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

var nodeA = rushgate.Instance{Node: "a", Run: "1"}

func registration(id rushgate.PlayerID) rushgate.Admission {
	return rushgate.Admission{
		Account: rushgate.Account{
			ID:           id,
			Username:     fmt.Sprintf("player%d", id),
			PasswordHash: fmt.Sprintf("pbkdf2_sha256$100000$c2FsdHNhbHRzYWx0c2Fs$%043d=", id),
			Attempt:      fmt.Sprintf("0190a6c2-5c5e-7d3a-9d55-%012d", id),
			CreatedAt:    time.Date(2026, time.May, 1, 0, 0, 0, 0, time.UTC),
			Version:      rushgate.AccountVersion,
		},
		Create:  true,
		Attempt: fmt.Sprintf("0190a6c2-5c5e-7d3a-9d55-%012d", id),
	}
}

func login(id rushgate.PlayerID, attempt string) rushgate.Admission {
	a := registration(id)
	return rushgate.Admission{
		Account: rushgate.Account{ID: id, Username: a.Account.Username, PasswordHash: a.Account.PasswordHash},
		Attempt: attempt,
	}
}

// admit carries out admissions that must all succeed.
func admit(t testing.TB, s *Store, by rushgate.Instance, batch ...rushgate.Admission) []rushgate.Admitted {
	t.Helper()
	admitted, err := s.Admit(t.Context(), by, batch)
	if err != nil {
		t.Fatal(err)
	}
	for i := range admitted {
		if admitted[i].Err != nil {
			t.Fatalf("admission of %s: %v", batch[i].Account.Username, admitted[i].Err)
		}
	}
	return admitted
}

// eventually calls f until it succeeds or is no longer unavailable. Only the test's own end limits it, for how soon a
// server comes back is not ours to say.
func eventually(t testing.TB, f func() error) {
	t.Helper()
	eventuallyBy(t, t.Context(), f)
}

// eventuallyBy is eventually, until ctx ends.
func eventuallyBy(t testing.TB, ctx context.Context, f func() error) {
	t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		err := f()
		if err == nil {
			return
		}
		if !errors.Is(err, rushgate.ErrUnavailable) {
			t.Fatal(err)
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatal(err)
		}
	}
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }
