package storetest

import (
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/rushgate/rushgate"
)

var (
	modelSessions = []string{"", hashOf("s"), hashOf("t")}
	modelDevices  = [][]rushgate.Device{
		nil, nil, nil, {}, {device("one", "x")}, {device("one", "y")}, {device("one", "y"), device("two", "x")},
	}
)

// devices draws devices for a player, if any, and the revision of those that they replace, or sometimes another.
func (m *machine) devices(t *rapid.T, id rushgate.PlayerID) ([]rushgate.Device, uint64) {
	right := uint64(0)
	if p := m.players[id]; p != nil {
		right = p.account.Devices.Revision
	}
	revision := pick(t, "revision", right, right, right, right+1, max(right, 1)-1)
	return slices.Clone(pick(t, "devices", modelDevices...)), revision
}

// continued has an admission go on with a session of the player, or sometimes another.
func (m *machine) continued(t *rapid.T, a *rushgate.Admission) {
	a.Session = pick(t, "session to continue", modelSessions[1:]...)
	if p := m.players[a.Account.ID]; p != nil && p.session != "" && rapid.Bool().Draw(t, "own session") {
		a.Session = p.session
	}
	a.Grace = pick(t, "grace", 0, rushgate.LeaseTTL/2, rushgate.LeaseTTL, time.Hour)
}

func (p *modelPlayer) takesDevices(devices []rushgate.Device, revision uint64) bool {
	there := p.account.Devices
	if devices == nil || there.Revision == revision {
		return true
	}
	return sameDevices(there, rushgate.Devices{Revision: revision + 1, List: devices})
}

func (p *modelPlayer) setDevices(devices []rushgate.Device, revision uint64) {
	if devices != nil && p.account.Devices.Revision == revision {
		p.account.Devices = rushgate.Devices{Revision: revision + 1, List: slices.Clone(devices)}
		p.account.Version = rushgate.AccountVersion
	}
}

// refuses says why a player who has an account is not let in, or nil.
func (m *machine) refuses(p *modelPlayer, by rushgate.Instance, a *rushgate.Admission) error {
	known := a.Session != "" && (p.held || p.parked) && p.session == a.Session
	switch {
	case a.Continue && !known || p.account.Epoch != a.Account.Epoch:
		return rushgate.BadCredentials
	case m.now < p.disabled:
		return rushgate.AccountDisabled
	case !p.takesDevices(a.Devices, a.Account.Devices.Revision),
		!p.takesCredentials(a.Credentials, a.Account.Credentials):
		return rushgate.ErrAccountChanged
	case a.Continue:
		return m.over(p, by, a)
	case !m.inside(p) || p.by == a.Gone:
		return nil
	case p.by.Node != by.Node, p.by == by && p.attempt != a.Attempt:
		return rushgate.AlreadyLoggedIn
	}
	return nil
}

// over says why a session is not continued, or nil.
func (m *machine) over(p *modelPlayer, by rushgate.Instance, a *rushgate.Admission) error {
	until := p.expires
	if p.held {
		if p.by == by {
			return nil
		}
		if p.by.Node != by.Node && m.now < p.expires && p.by != a.Gone {
			return rushgate.AlreadyLoggedIn
		}
		until += rushgate.LeaseRefresh + a.Grace - rushgate.LeaseTTL
	}
	if m.now >= until {
		return rushgate.BadCredentials
	}
	return nil
}
