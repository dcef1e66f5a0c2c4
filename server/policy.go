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
	auth.Rename:  rushgate.KnockRename,
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
		k := rushgate.Knock{Origin: r.Addr, Name: r.Username, Kind: knockKinds[r.Kind]}
		if r.Kind == auth.Identity {
			k.Kind = identityKnocks[r.Shown.Credential.Kind]
			if r.Username != "" { // an account is to be made
				k.Kind, k.By = rushgate.KnockRegister, k.Kind
			}
		}
		return c.Policy(k)
	}
}
