package records

import (
	"context"
	"encoding/base64"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/rushgate/rushgate/internal/importer"
	"github.com/rushgate/rushgate/password"
)

func base64Raw(b []byte) string { return base64.RawStdEncoding.EncodeToString(b) }

// lanes is how many hashes a core derives at once.
const lanes = 16

// Harden returns what sets the hashes of accounts that have weak ones, on all cores: for [importer.Options]. Each core
// takes the next batch when it is done with one, so that none waits long for another.
func Harden(hasher *password.Hasher) func(context.Context, []*importer.Account) error {
	return func(ctx context.Context, accounts []*importer.Account) error {
		var g errgroup.Group
		g.SetLimit(runtime.GOMAXPROCS(0))
		for part := range slices.Chunk(accounts, lanes) {
			g.Go(func() error { return harden(ctx, hasher, part) })
		}
		return g.Wait()
	}
}

func harden(ctx context.Context, hasher *password.Hasher, accounts []*importer.Account) error {
	all := make([]*password.Job, 0, len(accounts))
	for _, a := range accounts {
		job := password.New(string(a.Weak.Digest))
		if a.Weak.Recipe != "" {
			var err error
			if job, err = password.Harden(a.Weak.Recipe, a.Weak.Digest); err != nil {
				return err
			}
		}
		all = append(all, &job)
	}
	hasher.Run(ctx, all)
	for i, a := range accounts {
		if all[i].Err != nil {
			return all[i].Err
		}
		a.Hash = all[i].Hash
	}
	return nil
}
