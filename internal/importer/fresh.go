package importer

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rushgate/rushgate"
)

// importPrefix begins the marks of [importMark]. With the colon it cannot begin an attempt_id of a client, which has
// letters, digits, '-' and '_'.
const importPrefix = "import:"

// importMark returns the attempt_id under which an import makes the account of a record without a character, so that a
// later run knows it. It is kept when a login replaces the hash, so it stands for the hash of the record: with that
// alone the account could only be told until then. The salt in the hash is not in the mark, and without it nothing can
// be learned from the mark about the password. A hash that is too weak to be stored is too weak for that, too: its
// source says what tells the record.
func importMark(a Account) string {
	sum := sha256.Sum256([]byte("rushgate import\x00" + a.Name + "\x00" + cmp.Or(a.Mark, a.Hash)))
	return importPrefix + base64.RawURLEncoding.EncodeToString(sum[:])
}

// prepareAccounts reads the accounts of a batch that have no character.
func (m *importer) prepareAccounts(ctx context.Context, entries []*accountEntry) (*batch, error) {
	fresh, refs, err := m.missing(ctx, entries)
	return &batch{size: len(entries), accounts: fresh, refs: refs}, err
}

// createAccounts makes the accounts of a batch that have no character.
func (m *importer) createAccounts(ctx context.Context, b *batch) error {
	accounts := make([]rushgate.Account, len(b.accounts))
	if !m.opts.DryRun {
		for i, a := range b.accounts {
			accounts[i] = rushgate.Account{
				Username: a.Name, PasswordHash: a.Hash, Attempt: importMark(*a), Version: a.Version,
				CreatedAt: time.Now(), // the record does not say
				Disabled:  a.Disabled,
			}
		}
		if err := m.create(ctx, accounts); err != nil {
			return fmt.Errorf("create %d players: %w", len(accounts), err)
		}
	}
	for i := range accounts {
		if accounts[i].ID == 0 && !m.opts.DryRun {
			m.refuse(b.refs[i], NameTaken, "the name belongs to another player")
			continue
		}
		m.imported(b.refs[i], b.accounts[i])
		m.report.WithoutCharacter++
	}
	return nil
}

// imported counts an account that now is in the store.
func (m *importer) imported(at Ref, a *Account) {
	m.report.Imported++
	if a.Weak != nil {
		m.report.Hardened++
	}
	if a.Disabled != (rushgate.Disabled{}) {
		m.report.Banned++
	}
	if a.Locked != "" {
		m.report.lock(m.src.Key(at), a.Locked)
	}
}

// missing reads the accounts that the store does not have yet.
func (m *importer) missing(ctx context.Context, entries []*accountEntry) ([]*Account, []Ref, error) {
	refs := make([]Ref, len(entries))
	names := make([]string, len(entries))
	for i, e := range entries {
		refs[i], names[i] = e.ref(), e.name
	}
	found, err := m.fetch(ctx, refs)
	if err != nil {
		return nil, nil, err
	}
	stored := make([]rushgate.Account, len(entries))
	if m.store != nil {
		if stored, err = m.load(ctx, names); err != nil {
			return nil, nil, err
		}
	}
	var accounts []*Account
	var good []Ref
	for i, e := range entries {
		a, ok := m.account(e, refs[i], &found[i])
		switch {
		case !ok:
		case stored[i].ID != 0 && stored[i].Attempt == importMark(a):
			m.report.Present++
		case stored[i].ID != 0 && strings.HasPrefix(stored[i].Attempt, importPrefix):
			m.refuse(refs[i], NameTaken, "the name was imported with another password")
		case stored[i].ID != 0:
			m.refuse(refs[i], NameTaken, "the name belongs to another player")
		default:
			accounts = append(accounts, &a)
			good = append(good, refs[i])
		}
	}
	return accounts, good, nil
}

// create makes accounts. Those whose names were taken at the last moment have an id of zero afterwards.
func (m *importer) create(ctx context.Context, accounts []rushgate.Account) error {
	first, err := m.store.ReserveIDs(ctx, len(accounts))
	if err != nil {
		return err
	}
	for i := range accounts {
		accounts[i].ID = first + rushgate.PlayerID(i)
	}
	errs, err := m.store.CreateAccounts(ctx, accounts)
	if err == nil && len(errs) != len(accounts) {
		err = fmt.Errorf("%d results for %d accounts", len(errs), len(accounts))
	}
	if err != nil {
		return err
	}
	for i := range errs {
		if errors.Is(errs[i], rushgate.UsernameTaken) {
			accounts[i].ID, errs[i] = 0, nil
		}
	}
	return errors.Join(errs...)
}
