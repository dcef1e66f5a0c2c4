package storetest

import (
	"cmp"
	"errors"
	"slices"

	"pgregory.net/rapid"

	"github.com/rushgate/rushgate"
)

var modelCredentials = [][]rushgate.Credential{
	nil, nil, {}, {{Kind: "federated", Provider: "p", Subject: "s"}}, {{Kind: "a", Secret: "x"}, {Kind: "b"}},
}

// credentials draws those to give a player, if any, and those that they replace, or sometimes others.
func (m *machine) credentials(t *rapid.T, id rushgate.PlayerID) (credentials, replaces []rushgate.Credential) {
	var right []rushgate.Credential
	if p := m.players[id]; p != nil {
		right = p.account.Credentials
	}
	replaces = pick(t, "replaces", right, right, right, modelCredentials[0], modelCredentials[3])
	return slices.Clone(pick(t, "credentials", modelCredentials...)), replaces
}

func (p *modelPlayer) takesCredentials(credentials, replaces []rushgate.Credential) bool {
	there := p.account.Credentials
	return credentials == nil || slices.Equal(there, replaces) || slices.Equal(there, credentials)
}

func (p *modelPlayer) setCredentials(credentials []rushgate.Credential) {
	if credentials != nil {
		p.account.Credentials, p.account.Version = slices.Clone(credentials), rushgate.AccountVersion
	}
}

// epoch draws the right epoch of a player, or sometimes one next to it.
func (m *machine) epoch(t *rapid.T, id rushgate.PlayerID) uint64 {
	right := uint64(0)
	if p := m.players[id]; p != nil {
		right = p.account.Epoch
	}
	return pick(t, "epoch", right, right, right, right, right, right+1, max(right, 1)-1)
}

func (m *machine) create(t *rapid.T) {
	var batch []rushgate.Account
	for range rapid.IntRange(1, 4).Draw(t, "batch size") {
		batch = append(batch, m.newAccount(t))
	}
	want := make([]error, len(batch))
	for i := range batch {
		want[i] = m.modelCreate(batch[i])
	}
	got, err := m.s.CreateAccounts(t.Context(), batch)
	if err != nil || len(got) != len(batch) {
		t.Fatalf("CreateAccounts of %d: %d results, %v", len(batch), len(got), err)
	}
	for i := range batch {
		if !errors.Is(got[i], want[i]) {
			t.Fatalf("%+v got %v, want %v", batch[i], got[i], want[i])
		}
	}
}

// newAccount draws an account under an id of its own, or sometimes that of the name's owner.
func (m *machine) newAccount(t *rapid.T) rushgate.Account {
	a := rushgate.Account{
		ID: m.nextID, Username: pick(t, "name", modelNames...), PasswordHash: pick(t, "hash", modelHashes...),
		Attempt: pick(t, "account attempt", "", "x", "y"), CreatedAt: epoch.Add(m.now),
		Version: rapid.IntRange(0, rushgate.AccountVersion).Draw(t, "version"),
		Epoch:   rapid.Uint64Range(0, 2).Draw(t, "epoch"), Credentials: pick(t, "credentials", modelCredentials...),
	}
	m.nextID++
	if p := m.byName(a.Username); p != nil && rapid.Bool().Draw(t, "repeated") {
		a.ID = p.account.ID
	}
	return a
}

func (m *machine) modelCreate(a rushgate.Account) error {
	if p := m.byName(a.Username); p != nil {
		if p.account.ID == a.ID && p.account.PasswordHash == a.PasswordHash {
			return nil
		}
		return rushgate.UsernameTaken
	}
	if m.isHeld(a.Username, 0) {
		return rushgate.UsernameTaken
	}
	a.Version = cmp.Or(a.Version, rushgate.AccountVersion)
	m.players[a.ID] = &modelPlayer{account: a, character: created(a)}
	return nil
}

func (m *machine) change(t *rapid.T) {
	var batch []rushgate.AccountChange
	for range rapid.IntRange(1, 4).Draw(t, "batch size") {
		batch = append(batch, m.accountChange(t))
	}
	want := make([]error, len(batch))
	for i := range batch {
		want[i] = m.modelChange(&batch[i])
	}
	got, err := m.s.UpdateAccounts(t.Context(), batch)
	if err != nil || len(got) != len(batch) {
		t.Fatalf("UpdateAccounts of %d: %d results, %v", len(batch), len(got), err)
	}
	for i := range batch {
		if !errors.Is(got[i], want[i]) {
			t.Fatalf("%+v got %v, want %v", batch[i], got[i], want[i])
		}
	}
}

func (m *machine) accountChange(t *rapid.T) rushgate.AccountChange {
	id := m.player(t)
	c := rushgate.AccountChange{
		Player: id, Name: m.name(t, id), Epoch: m.epoch(t, id), PasswordHash: pick(t, "hash", "", "h1", "h2"),
		RaiseEpoch: rapid.Bool().Draw(t, "raise"),
	}
	c.Credentials, c.Replaces = m.credentials(t, id)
	c.Devices, c.DevicesRevision = m.devices(t, id)
	c.EndAttempt = pick(t, "end", "", "", "x", "y")
	if rapid.Bool().Draw(t, "disable") {
		soon := m.clock().Add(rushgate.LeaseTTL)
		d := pick(t, "until", rushgate.Disabled{}, rushgate.Disabled{Until: rushgate.Forever(), Reason: "for ever"},
			rushgate.Disabled{Until: soon}, rushgate.Disabled{Until: soon, Reason: "r"})
		c.Disabled = &d
	}
	return c
}

func (m *machine) modelChange(c *rushgate.AccountChange) error {
	p := m.players[c.Player]
	switch {
	case p == nil || p.account.Username != c.Name:
		return rushgate.BadCredentials
	case p.account.Epoch != c.Epoch, !p.takesDevices(c.Devices, c.DevicesRevision),
		!p.takesCredentials(c.Credentials, c.Replaces):
		return rushgate.ErrAccountChanged
	}
	p.setDevices(c.Devices, c.DevicesRevision)
	a := &p.account
	a.Version = rushgate.AccountVersion
	a.PasswordHash = cmp.Or(c.PasswordHash, a.PasswordHash)
	p.setCredentials(c.Credentials)
	if c.Disabled != nil {
		a.Disabled = *c.Disabled
		if p.disabled = 0; !a.Disabled.Until.IsZero() {
			p.disabled = a.Disabled.Until.Sub(m.started) // the longest there is, for ever
		}
	}
	if c.RaiseEpoch {
		a.Epoch++
	}
	if c.RaiseEpoch || c.Disabled != nil && m.now < p.disabled || (p.held || p.parked) && c.EndAttempt == p.attempt {
		p.session = ""
		if m.inside(p) {
			m.want(p, false)
		}
	}
	return nil
}
