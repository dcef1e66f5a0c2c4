package memory

import (
	"context"
	"fmt"
	"slices"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/device"
	"github.com/rushgate/rushgate/store/internal/validate"
)

// CreateAccounts implements [rushgate.Accounts].
func (s *Store) CreateAccounts(ctx context.Context, accounts []rushgate.Account) ([]error, error) {
	if err := validate.Accounts(accounts); err != nil {
		return nil, fmt.Errorf("memory: %w", err)
	}
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	errs := make([]error, len(accounts))
	for i := range accounts {
		errs[i] = s.createOne(&accounts[i])
	}
	return errs, nil
}

func (s *Store) createOne(a *rushgate.Account) error {
	switch p := s.names[a.Username]; {
	case p != nil && p.account.ID == a.ID && p.account.PasswordHash == a.PasswordHash:
		return nil // before
	case p != nil, s.isHeld(a.Username, 0):
		return rushgate.UsernameTaken
	case s.players[a.ID] != nil:
		return rushgate.ErrIDTaken
	}
	s.create(a)
	return nil
}

// UpdateAccounts implements [rushgate.Accounts].
func (s *Store) UpdateAccounts(ctx context.Context, changes []rushgate.AccountChange) ([]error, error) {
	if err := validate.Changes(changes); err != nil {
		return nil, fmt.Errorf("memory: %w", err)
	}
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	errs := make([]error, len(changes))
	for i := range changes {
		errs[i] = s.update(&changes[i])
	}
	return errs, nil
}

func (s *Store) update(c *rushgate.AccountChange) error {
	p := s.names[c.Name]
	switch {
	case p == nil || p.account.ID != c.Player:
		return rushgate.BadCredentials
	case p.account.Epoch != c.Epoch, !p.takesDevices(c.Devices, c.DevicesRevision),
		!p.takesCredentials(c.Credentials, c.Replaces):
		return rushgate.ErrAccountChanged
	}
	a := &p.account
	a.Version = rushgate.AccountVersion
	if c.PasswordHash != "" {
		a.PasswordHash = c.PasswordHash
	}
	p.putCredentials(c.Credentials)
	if c.Disabled != nil {
		a.Disabled = toMillisecondDisabled(*c.Disabled)
	}
	if c.RaiseEpoch {
		a.Epoch++
	}
	p.putDevices(c.Devices, c.DevicesRevision)
	if l := p.lease; l != nil && (c.EndsSession(s.day()) || c.EndAttempt == l.Attempt) {
		l.Session = "" // which no admission can continue
		if l.Live(s.now()) {
			s.ask(p, false)
		}
	}
	return nil
}

// takesDevices reports whether devices can replace those of a revision: they can if it is the account's, or was until
// they did. No devices replace any.
func (p *player) takesDevices(devices []rushgate.Device, revision uint64) bool {
	there := p.account.Devices
	return devices == nil || there.Revision == revision ||
		there.Revision == revision+1 && slices.Equal(there.List, device.Normal(devices))
}

// putDevices replaces those of a revision with devices that takesDevices.
func (p *player) putDevices(devices []rushgate.Device, revision uint64) {
	if devices != nil && p.account.Devices.Revision == revision {
		p.account.Devices = rushgate.Devices{Revision: revision + 1, List: device.Normal(devices)}
		p.account.Version = rushgate.AccountVersion
	}
}

// takesCredentials reports whether credentials can replace those that the account had; none replace any.
func (p *player) takesCredentials(credentials, replaces []rushgate.Credential) bool {
	there := p.account.Credentials
	return credentials == nil || slices.Equal(there, replaces) || slices.Equal(there, credentials)
}

func (p *player) putCredentials(credentials []rushgate.Credential) {
	if credentials != nil {
		p.account.Credentials, p.account.Version = cloneCredentials(credentials), rushgate.AccountVersion
	}
}

func toMillisecondDisabled(d rushgate.Disabled) rushgate.Disabled {
	if !d.Until.IsZero() {
		d.Until = toMillisecond(d.Until)
	}
	return d
}

// cloneCredentials makes no credentials nil.
func cloneCredentials(credentials []rushgate.Credential) []rushgate.Credential {
	if len(credentials) == 0 {
		return nil
	}
	return slices.Clone(credentials)
}

// DeleteAccount implements [rushgate.Accounts].
func (s *Store) DeleteAccount(ctx context.Context, username string) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	p := s.names[username]
	if p == nil {
		return rushgate.BadCredentials
	}
	if p.lease.Live(s.now()) {
		return rushgate.AlreadyLoggedIn
	}
	delete(s.names, username)
	s.sorted = nil
	s.forgetLook(username)
	delete(s.players, p.account.ID)
	return nil
}
