package server

import (
	"context"

	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/auth"
)

// doErrands has the ledger do what players have proved to be allowed, and what they prove with codes.
func (s *Server) doErrands(ctx context.Context, proved []auth.Proved) ([]error, error) {
	var changes []account.PasswordChange
	var redemptions []account.Redemption
	for _, p := range proved {
		switch p.Kind {
		case auth.ChangePassword:
			changes = append(changes, account.PasswordChange{
				Proved: p.Proved, Hash: p.NewHash, From: account.From(p.Addr, ""),
			})
		case auth.Recover:
			redemptions = append(redemptions, account.Redemption{
				Account: p.Account, Code: p.Code, Hash: p.NewHash, Record: p.Record, From: account.From(p.Addr, ""),
			})
		}
	}
	outcomes := make(map[auth.Kind][]error)
	var err error
	if len(changes) > 0 {
		if outcomes[auth.ChangePassword], err = s.ledger.ChangePasswords(ctx, changes); err != nil {
			return nil, err
		}
	}
	if len(redemptions) > 0 {
		if outcomes[auth.Recover], err = s.ledger.Redeem(ctx, redemptions); err != nil {
			return nil, err
		}
	}
	errs := make([]error, len(proved))
	for i, p := range proved {
		if of := outcomes[p.Kind]; len(of) > 0 {
			errs[i], outcomes[p.Kind] = of[0], of[1:]
		}
	}
	return errs, nil
}

// signInKinds is what the histories of accounts call the ways to come in.
var signInKinds = map[auth.Kind]string{
	auth.Login: "login", auth.Register: "registration", auth.Resume: "device", auth.Passkey: "passkey",
}

// signedIn has a player's having come in noted, off the player's way.
func (s *Server) signedIn(in auth.SignIn) {
	who := account.Owner{Player: in.Player, Name: in.Name}
	kind := signInKinds[in.Kind]
	if in.Kind == auth.Identity {
		kind = in.Shown
	}
	s.diary.SignIn(who, kind, account.From(in.Addr, in.Device))
}
