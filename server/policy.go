package server

import (
	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/linked"
)

var knockKinds = map[auth.Kind]rushgate.KnockKind{
	auth.Login: rushgate.KnockLogin, auth.Register: rushgate.KnockRegister, auth.Enter: rushgate.KnockLogin,
	auth.BeginLogin: rushgate.KnockLogin, auth.BeginRegister: rushgate.KnockRegister,
	auth.Resume: rushgate.KnockResume, auth.Continue: rushgate.KnockResume,
	auth.Passkey: rushgate.KnockPasskey,
}

// identityKnocks are those of [auth.Identity], by the kind of the credential.
var identityKnocks = map[string]rushgate.KnockKind{
	linked.Guest: rushgate.KnockGuest, linked.Federated: rushgate.KnockFederated,
}

// policy returns the embedder's policy as the pool asks it, without the password, or nil.
func (c Config) policy() func(auth.Request) error {
	if c.Policy == nil {
		return nil
	}
	return func(r auth.Request) error {
		kind := knockKinds[r.Kind]
		if r.Kind == auth.Identity {
			kind = identityKnocks[r.Shown.Credential.Kind]
		}
		return c.Policy(rushgate.Knock{Origin: r.Addr, Name: r.Username, Kind: kind})
	}
}
