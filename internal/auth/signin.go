package auth

import (
	"net/netip"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/token"
)

// SignIn is a player's having come in.
type SignIn struct {
	Kind   Kind   // [Login], [Register], [Resume], [Passkey] or [Identity]
	Shown  string // of an Identity: the kind of its credential
	Player rushgate.PlayerID
	Name   string
	Addr   netip.Addr // the client's
	Device string     // what the player calls the device, if it is remembered
}

// signedIn tells of a request that was answered with a session, unless that goes on from an earlier one.
func (p *Pool) signedIn(r *pending) {
	a := &r.proven.Account
	s := SignIn{Kind: r.Kind, Player: a.ID, Name: a.Username, Addr: r.Addr, Device: r.Remember,
		Shown: r.Shown.Credential.Kind}
	switch r.Kind {
	case Login, Register, Resume, Passkey, Identity:
	case Enter, FinishLogin: // a login that had to wait, or by OPAQUE
		s.Kind = Login
	case FinishRegister:
		s.Kind = Register
	default:
		return
	}
	if p.cfg.SignedIn == nil {
		return
	}
	for _, d := range a.Devices.List {
		if r.Kind == Resume && token.Same(d.ID, r.ResumeToken.Device()) {
			s.Device = d.Label
		}
	}
	p.cfg.SignedIn(s)
}
