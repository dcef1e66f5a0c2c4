package importer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rushgate/rushgate"
)

// prepareRecords reads the accounts of a batch with their characters.
func (m *importer) prepareRecords(ctx context.Context, entries []*accountEntry) (*batch, error) {
	records, accounts, refs, err := m.records(ctx, entries)
	if err == nil {
		err = m.knowHardened(ctx, records, accounts)
	}
	return &batch{size: len(entries), accounts: accounts, refs: refs, records: records}, err
}

// importRecords imports the accounts of a batch with their characters.
func (m *importer) importRecords(ctx context.Context, b *batch) error {
	for i, a := range b.accounts {
		b.records[i].Account.PasswordHash = a.Hash
	}
	results, err := m.put(ctx, b.records)
	if err == nil && len(results) != len(b.records) {
		err = fmt.Errorf("%d results for %d records", len(results), len(b.records))
	}
	if err != nil {
		return fmt.Errorf("import %d players: %w", len(b.records), err)
	}
	for i, err := range results {
		switch {
		case err == nil:
			m.imported(b.refs[i], b.accounts[i])
		case errors.Is(err, rushgate.ErrImported):
			m.report.Present++
		case errors.Is(err, rushgate.UsernameTaken):
			m.refuse(b.refs[i], NameTaken, "the name belongs to another player")
		case errors.Is(err, rushgate.ErrIDTaken):
			m.refuse(b.refs[i], IDTaken, "the id %d belongs to another player", b.records[i].Account.ID)
		default:
			return fmt.Errorf("import player %d: %w", b.records[i].Account.ID, err)
		}
	}
	return nil
}

// knowHardened sets the hashes of records that have weak ones and that the store has already, so that they are not
// hardened again: the store will say that it has them whatever their hashes.
func (m *importer) knowHardened(ctx context.Context, records []rushgate.Record, accounts []*Account) error {
	weak := func(a *Account) bool { return a.Weak != nil }
	if m.opts.DryRun || !slices.ContainsFunc(accounts, weak) {
		return nil
	}
	names := make([]string, len(records))
	for i := range records {
		names[i] = records[i].Account.Username
	}
	stored, err := m.load(ctx, names)
	if err != nil {
		return err
	}
	for i, a := range accounts {
		if weak(a) && stored[i].ID == records[i].Account.ID {
			a.Hash = stored[i].PasswordHash
		}
	}
	return nil
}

// put hands records to the store, or in a dry run finds out what the store would say of their names.
func (m *importer) put(ctx context.Context, records []rushgate.Record) ([]error, error) {
	if !m.opts.DryRun {
		return m.store.Import(ctx, records)
	}
	results := make([]error, len(records))
	if m.store == nil {
		return results, nil
	}
	names := make([]string, len(records))
	for i := range records {
		names[i] = records[i].Account.Username
	}
	accounts, err := m.load(ctx, names)
	if err != nil {
		return nil, err
	}
	for i, a := range accounts {
		switch a.ID {
		case 0:
		case records[i].Account.ID:
			results[i] = rushgate.ErrImported
		default:
			results[i] = rushgate.UsernameTaken
		}
	}
	return results, nil
}

// load returns what the store has of each name. A record that the store cannot read is an error: an import that went on
// would take the name for free.
func (m *importer) load(ctx context.Context, names []string) ([]rushgate.Account, error) {
	loaded, err := m.store.LoadAccounts(ctx, names)
	if err == nil && len(loaded) != len(names) {
		err = fmt.Errorf("%d accounts for %d names", len(loaded), len(names))
	}
	if err != nil {
		return nil, err
	}
	accounts := make([]rushgate.Account, len(loaded))
	for i := range loaded {
		if accounts[i] = loaded[i].Account; loaded[i].Err != nil {
			return nil, fmt.Errorf("account %q: %w", names[i], loaded[i].Err)
		}
	}
	return accounts, nil
}

// records reads the records of accounts and of their characters, and refuses those that are no good.
func (m *importer) records(
	ctx context.Context, entries []*accountEntry,
) ([]rushgate.Record, []*Account, []Ref, error) {
	refs := make([]Ref, 0, 2*len(entries))
	for _, e := range entries {
		refs = append(refs, e.ref(), m.index.character(e.character))
	}
	found, err := m.fetch(ctx, refs)
	if err != nil {
		return nil, nil, nil, err
	}
	records := make([]rushgate.Record, 0, len(entries))
	var accounts []*Account
	var good []Ref
	for i, e := range entries {
		a, ok := m.account(e, refs[2*i], &found[2*i])
		if !ok {
			continue
		}
		c, ok := m.character(a.Name, refs[2*i+1], &found[2*i+1])
		if !ok {
			m.refuse(refs[2*i], BadCharacter, "%s was refused", m.src.Key(refs[2*i+1]))
			continue
		}
		records = append(records, rushgate.Record{
			Account: rushgate.Account{
				ID: c.ID, Username: a.Name, PasswordHash: a.Hash, CreatedAt: c.CreatedAt, Version: a.Version,
				Disabled: a.Disabled,
			},
			Character: c,
		})
		accounts, good = append(accounts, &a), append(good, refs[2*i])
	}
	return records, accounts, good, nil
}

// fetch reads records of the first pass once more.
func (m *importer) fetch(ctx context.Context, refs []Ref) ([]Record, error) {
	found, err := m.src.Fetch(ctx, refs)
	if err == nil && len(found) != len(refs) {
		err = fmt.Errorf("%d records for %d references", len(found), len(refs))
	}
	if err != nil {
		return nil, fmt.Errorf("read records: %w", err)
	}
	return found, nil
}

func (m *importer) refuse(at Ref, cause Cause, format string, args ...any) {
	m.report.refuse(m.src.Key(at), at.Line, cause, format, args...)
}

// account returns an account that was read once more; it must be what the first pass has settled things with.
func (m *importer) account(e *accountEntry, at Ref, r *Record) (Account, bool) {
	switch {
	case r.Err != nil:
		m.refuse(at, r.Cause, "%v", r.Err)
	case r.Account.Name != e.name || r.Account.Character != e.character:
		m.refuse(at, Gone, "it was changed meanwhile")
	default:
		return r.Account, true
	}
	return Account{}, false
}

// character tries a character in a world, which works out the level.
func (m *importer) character(name string, at Ref, r *Record) (rushgate.Character, bool) {
	c := r.Character
	err, cause := r.Err, r.Cause
	switch {
	case err != nil:
	case m.opts.OwnWorld:
		err, cause = c.Numbers.Check(), Malformed
	default:
		err, cause = m.world.Enter(c), Malformed
	}
	if err != nil {
		m.refuse(at, cause, "%v", err)
		return rushgate.Character{}, false
	}
	if c.CreatedAt.IsZero() {
		c.CreatedAt = time.Now() // the source does not say
	}
	if m.opts.OwnWorld {
		c.Name = name
		return c, true
	}
	entered, _ := m.world.Character(c.ID)
	m.world.Leave(c.ID)
	// The rest of what the world would repair it repairs when the player comes: until then nothing is lost.
	c.Name, c.Numbers = name, c.Numbers.Clone()
	c.Numbers[rushgate.NumberLevel] = entered.Numbers[rushgate.NumberLevel]
	return c, true
}
