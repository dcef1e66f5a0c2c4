package importer

import (
	"context"
	"errors"
	"fmt"

	"github.com/rushgate/rushgate"
)

// importBatch imports accounts with their characters.
func (m *importer) importBatch(ctx context.Context, entries []*accountEntry) error {
	records, refs, err := m.records(ctx, entries)
	if err != nil || len(records) == 0 {
		return err
	}
	results, err := m.put(ctx, records)
	if err == nil && len(results) != len(records) {
		err = fmt.Errorf("%d results for %d records", len(results), len(records))
	}
	if err != nil {
		return fmt.Errorf("import %d players: %w", len(records), err)
	}
	for i, err := range results {
		switch {
		case err == nil:
			m.report.Imported++
		case errors.Is(err, rushgate.ErrImported):
			m.report.Present++
		case errors.Is(err, rushgate.UsernameTaken):
			m.report.refuse(refs[i], NameTaken, "the name belongs to another player")
		case errors.Is(err, rushgate.ErrIDTaken):
			m.report.refuse(refs[i], IDTaken, "the id %d belongs to another player", records[i].Account.ID)
		default:
			return fmt.Errorf("import player %d: %w", records[i].Account.ID, err)
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
func (m *importer) records(ctx context.Context, entries []*accountEntry) ([]rushgate.Record, []ref, error) {
	refs := make([]ref, 0, 2*len(entries))
	for _, e := range entries {
		refs = append(refs, e.ref(), m.index.character(e.character))
	}
	items, err := m.src.fetch(ctx, refs)
	if err != nil {
		return nil, nil, fmt.Errorf("read records: %w", err)
	}
	records := make([]rushgate.Record, 0, len(entries))
	good := refs[:0]
	for i, e := range entries {
		a, ok := m.account(e, items[2*i])
		if !ok {
			continue
		}
		c, ok := m.character(a.name, items[2*i+1])
		if !ok {
			m.report.refuse(items[2*i].ref, BadCharacter, "%s was refused", items[2*i+1].key)
			continue
		}
		records = append(records, rushgate.Record{
			Account: rushgate.Account{
				ID: c.ID, Username: a.name, PasswordHash: a.hash, CreatedAt: c.CreatedAt, Version: a.version,
			},
			Character: c,
		})
		good = append(good, items[2*i].ref)
	}
	return records, good, nil
}

// account reads an account once more; it must be what the first pass has settled things with.
func (m *importer) account(e *accountEntry, it item) (account, bool) {
	if it.err != nil {
		m.report.refuse(it.ref, Gone, "%v", it.err)
		return account{}, false
	}
	a, err := parseAccount(it.key, it.value)
	if err != nil {
		m.report.refuse(it.ref, Malformed, "%v", err)
		return account{}, false
	}
	if a.name != e.name || a.character != e.character {
		m.report.refuse(it.ref, Gone, "it was changed meanwhile")
		return account{}, false
	}
	return a, true
}

// character reads a character and tries it in a world, which works out the level.
func (m *importer) character(name string, it item) (rushgate.Character, bool) {
	if it.err != nil {
		m.report.refuse(it.ref, Gone, "%v", it.err)
		return rushgate.Character{}, false
	}
	id, err := parsePlayerKey(it.key)
	if err != nil {
		m.report.refuse(it.ref, Malformed, "%v", err)
		return rushgate.Character{}, false
	}
	c, err := parsePlayer(id, it.value)
	if err == nil {
		err = m.world.Enter(c)
	}
	if err != nil {
		m.report.refuse(it.ref, Malformed, "%v", err)
		return rushgate.Character{}, false
	}
	entered, _ := m.world.Character(c.ID)
	m.world.Leave(c.ID)
	// The rest of what the world would repair it repairs when the player comes: until then nothing is lost.
	c.Name, c.Level = name, entered.Level
	return c, true
}
