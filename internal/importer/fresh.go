package importer

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rushgate/rushgate"
)

// importNode is the node that holds the leases of accounts while they are made.
const importNode = "rushgate-import"

// importPrefix begins the marks of [importMark]. With the colon it cannot begin an attempt_id of a client, which has
// letters, digits, '-' and '_'.
const importPrefix = "import:"

// importMark returns the attempt_id under which an import makes the account of a record without a character, so that a
// later run knows it. It is kept when a login replaces the hash, so it stands for the hash of the record: with that
// alone the account could only be told until then. The salt in the hash is not in the mark, and without it nothing can
// be learned from the mark about the password.
func importMark(a account) string {
	sum := sha256.Sum256([]byte("rushgate import\x00" + a.name + "\x00" + a.hash))
	return importPrefix + base64.RawURLEncoding.EncodeToString(sum[:])
}

// createBatch makes the accounts that have no character.
func (m *importer) createBatch(ctx context.Context, entries []*accountEntry) error {
	accounts, refs, err := m.missing(ctx, entries)
	if err != nil || len(accounts) == 0 {
		return err
	}
	if !m.opts.DryRun {
		if err := m.create(ctx, accounts); err != nil {
			return fmt.Errorf("create %d players: %w", len(accounts), err)
		}
	}
	for i := range accounts {
		if accounts[i].ID == 0 && !m.opts.DryRun {
			m.report.refuse(refs[i], NameTaken, "the name belongs to another player")
			continue
		}
		m.report.Imported++
		m.report.WithoutCharacter++
	}
	return nil
}

// missing reads the accounts that the store does not have yet.
func (m *importer) missing(ctx context.Context, entries []*accountEntry) ([]rushgate.Account, []ref, error) {
	refs := make([]ref, len(entries))
	names := make([]string, len(entries))
	for i, e := range entries {
		refs[i], names[i] = e.ref(), e.name
	}
	items, err := m.src.fetch(ctx, refs)
	if err != nil {
		return nil, nil, fmt.Errorf("read records: %w", err)
	}
	stored := make([]rushgate.Account, len(entries))
	if m.store != nil {
		if stored, err = m.load(ctx, names); err != nil {
			return nil, nil, err
		}
	}
	var accounts []rushgate.Account
	var good []ref
	for i, e := range entries {
		a, ok := m.account(e, items[i])
		switch {
		case !ok:
		case stored[i].ID != 0 && stored[i].Attempt == importMark(a):
			m.report.Present++
		case stored[i].ID != 0 && strings.HasPrefix(stored[i].Attempt, importPrefix):
			m.report.refuse(refs[i], NameTaken, "the name was imported with another password")
		case stored[i].ID != 0:
			m.report.refuse(refs[i], NameTaken, "the name belongs to another player")
		default:
			accounts = append(accounts, rushgate.Account{
				Username: a.name, PasswordHash: a.hash, Attempt: importMark(a), Version: a.version,
				CreatedAt: time.Now(), // the record does not say
			})
			good = append(good, refs[i])
		}
	}
	return accounts, good, nil
}

// create registers accounts, and ends the sessions that the store opens with them. Accounts whose names were taken at
// the last moment have an id of zero afterwards.
func (m *importer) create(ctx context.Context, accounts []rushgate.Account) error {
	first, err := m.store.ReserveIDs(ctx, len(accounts))
	if err != nil {
		return err
	}
	admissions := make([]rushgate.Admission, len(accounts))
	for i := range accounts {
		accounts[i].ID = first + rushgate.PlayerID(i)
		admissions[i] = rushgate.Admission{Account: accounts[i], Create: true, Attempt: rand.Text()}
	}
	by := rushgate.Instance{Node: importNode, Run: rand.Text()}
	admitted, err := m.store.Admit(ctx, by, admissions)
	if err == nil && len(admitted) != len(admissions) {
		err = fmt.Errorf("%d results for %d admissions", len(admitted), len(admissions))
	}
	if err != nil {
		return err
	}
	var saves []rushgate.Save
	for i := range admitted {
		switch in := &admitted[i]; {
		case in.Err == nil:
			saves = append(saves, rushgate.Save{Character: in.Character, Fence: in.Lease.Fence, Release: true})
		case errors.Is(in.Err, rushgate.UsernameTaken):
			accounts[i].ID = 0
		default:
			err = errors.Join(err, in.Err)
		}
	}
	if len(saves) == 0 {
		return err
	}
	// Interrupted here, it would leave players who cannot log in until the leases have run out.
	released, saveErr := m.store.Save(context.WithoutCancel(ctx), saves)
	return errors.Join(err, saveErr, errors.Join(released...))
}
