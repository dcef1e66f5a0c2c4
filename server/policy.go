package server

import (
	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/auth"
)

var knockKinds = map[auth.Kind]rushgate.KnockKind{
	auth.Login: rushgate.KnockLogin, auth.Register: rushgate.KnockRegister, auth.Enter: rushgate.KnockLogin,
	auth.BeginLogin: rushgate.KnockLogin, auth.BeginRegister: rushgate.KnockRegister,
	auth.Resume: rushgate.KnockResume, auth.Continue: rushgate.KnockResume,
	auth.Passkey: rushgate.KnockPasskey, auth.Identity: rushgate.KnockIdentity,
}

// policy returns the embedder's policy as the pool asks it, without the password, or nil.
func (c Config) policy() func(auth.Request) error {
	if c.Policy == nil {
		return nil
	}
	return func(r auth.Request) error {
		return c.Policy(rushgate.Knock{Origin: r.Addr, Name: r.Username, Kind: knockKinds[r.Kind]})
	}
}
