package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/importer"
	"github.com/rushgate/rushgate/internal/importer/records"
	"github.com/rushgate/rushgate/internal/importer/scheme"
	"github.com/rushgate/rushgate/password"
	"github.com/rushgate/rushgate/store/memory"
)

// filling is a store that has room for some batches of accounts, and then for none.
type filling struct {
	*memory.Store
	batches int
}

var errFull = errors.New("database or disk is full")

func (s *filling) CreateAccounts(ctx context.Context, accounts []rushgate.Account) ([]error, error) {
	if s.batches--; s.batches < 0 {
		return nil, errFull
	}
	return s.Store.CreateAccounts(ctx, accounts)
}

// An import into a store that takes no more ends with its reason, and says that what is there stays; another one brings
// in the rest, and nobody twice.
func TestImportIntoAStoreThatFills(t *testing.T) {
	var all []imported
	for i := range 7 {
		all = append(all, imported{scheme.Vector{Record: scheme.Record{
			System: "plain text", Username: fmt.Sprint("player", i), Stored: map[string]any{"password": "correct horse"},
		}}, ""})
	}
	path := writeRecords(t, all)
	h, err := password.NewHasher(password.Config{Iterations: password.MinIterations})
	if err != nil {
		t.Fatal(err)
	}
	store := &filling{memory.New(memory.Options{}), 2}
	bring := func() (importer.Report, string, error) {
		src, err := records.Open(path, scheme.Builtin())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = src.Close() }()
		var stdout, stderr strings.Builder
		report, err := newImportFlags().bring(t.Context(), src, store,
			importer.Options{BatchSize: 2, Harden: records.Harden(h)}, "a file", &stdout, &stderr)
		return report, stderr.String(), err
	}
	r, said, err := bring()
	if !errors.Is(err, errFull) || r.Imported != 4 || !strings.Contains(said, "4 accounts were brought in and stay") {
		t.Errorf("%v, %d imported, said was %q", err, r.Imported, said)
	}
	store.batches = 100
	if r, said, err := bring(); err != nil || r.Imported != 3 || r.Present != 4 || strings.Contains(said, "stay") {
		t.Errorf("%v, %d imported, %d present, said was %q", err, r.Imported, r.Present, said)
	}
}
