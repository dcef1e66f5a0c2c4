package server

import (
	"context"

	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/auth"
)

// doErrands has the ledger do what players have proved to be allowed. Those that only prove the password have nothing
// done.
func (s *Server) doErrands(ctx context.Context, proved []auth.Proved) ([]error, error) {
	var changes []account.PasswordChange
	for _, p := range proved {
		if p.Kind == auth.ChangePassword {
			changes = append(changes, account.PasswordChange{
				Account: p.Account, Hash: p.NewHash, From: account.From(p.Addr, ""),
			})
		}
	}
	errs := make([]error, len(proved))
	if len(changes) == 0 {
		return errs, nil
	}
	changed, err := s.ledger.ChangePasswords(ctx, changes)
	if err != nil {
		return nil, err
	}
	for i, p := range proved {
		if p.Kind == auth.ChangePassword {
			errs[i], changed = changed[0], changed[1:]
		}
	}
	return errs, nil
}

// signInKinds is what the histories of accounts call the ways to come in.
var signInKinds = map[auth.Kind]string{auth.Login: "login", auth.Register: "registration", auth.Resume: "device"}

// signedIn has a player's having come in noted, off the player's way.
func (s *Server) signedIn(in auth.SignIn) {
	who := account.Owner{Player: in.Player, Name: in.Name}
	s.diary.SignIn(who, signInKinds[in.Kind], account.From(in.Addr, in.Device))
}
