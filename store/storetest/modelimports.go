package storetest

import (
	"cmp"
	"errors"
	"slices"

	"pgregory.net/rapid"

	"github.com/rushgate/rushgate"
)

func (m *machine) setAside(t *rapid.T) {
	highest := rushgate.PlayerID(rapid.IntRange(1, 8).Draw(t, "highest"))
	var want error
	switch {
	case highest <= m.imports:
	case m.lastID > m.imports:
		want = rushgate.ErrIDsInUse
	default:
		m.imports, m.lastID = highest, highest
	}
	if err := m.s.BeginImport(t.Context(), highest); !errors.Is(err, want) {
		t.Fatalf("BeginImport(%d) = %v, want %v", highest, err, want)
	}
}

func (m *machine) bringIn(t *rapid.T) {
	var batch []rushgate.Record
	for range rapid.IntRange(1, 4).Draw(t, "batch size") {
		batch = append(batch, m.record(t))
	}
	outside := slices.ContainsFunc(batch, func(r rushgate.Record) bool { return r.Account.ID > m.imports })
	var want []error
	for i := range batch {
		if !outside {
			want = append(want, m.modelImport(batch[i]))
		}
	}
	got, err := m.s.Import(t.Context(), batch)
	if outside {
		if err == nil {
			t.Fatalf("Import got %v, want an error, since only ids up to %d are set aside", got, m.imports)
		}
		return
	}
	if err != nil || len(got) != len(batch) {
		t.Fatalf("Import of %d: %d results, %v", len(batch), len(got), err)
	}
	for i := range batch {
		if !errors.Is(got[i], want[i]) {
			t.Fatalf("%+v got %v, want %v", batch[i], got[i], want[i])
		}
		for j := range batch[i].Character.Data {
			batch[i].Character.Data[j] ^= 0xff // the caller's to change again
		}
	}
}

// record draws a record. Each name has two ids; a store that can tell also gets those of other names.
func (m *machine) record(t *rapid.T) rushgate.Record {
	i := rapid.IntRange(0, len(modelNames)-1).Draw(t, "imported")
	id := rushgate.PlayerID(i + 1)
	ids := []rushgate.PlayerID{id, id, id, id + rushgate.PlayerID(len(modelNames))}
	if !m.h.NamesOnly {
		ids = append(ids, id%rushgate.PlayerID(len(modelNames))+1)
	}
	id = pick(t, "id", ids...)
	r := rushgate.Record{Character: drawCharacter(t, id, modelNames[i])}
	r.Account = rushgate.Account{
		ID: id, Username: modelNames[i], PasswordHash: pick(t, "hash", modelHashes...), CreatedAt: epoch.Add(m.now),
		Version: rapid.IntRange(0, rushgate.AccountVersion).Draw(t, "version"),
	}
	r.Character.CreatedAt = epoch
	return r
}

func (m *machine) modelImport(r rushgate.Record) error {
	if p := m.byName(r.Account.Username); p != nil {
		if p.account.ID == r.Account.ID {
			return rushgate.ErrImported
		}
		return rushgate.UsernameTaken
	}
	if m.isHeld(r.Account.Username, 0) {
		return rushgate.UsernameTaken
	}
	if m.players[r.Account.ID] != nil {
		return rushgate.ErrIDTaken
	}
	r.Account.Version = cmp.Or(r.Account.Version, rushgate.AccountVersion)
	r.Character.Data = slices.Clone(r.Character.Data)
	m.players[r.Account.ID] = &modelPlayer{account: r.Account, character: r.Character}
	return nil
}
