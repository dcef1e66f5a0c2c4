package secondfactor

import "github.com/rushgate/rushgate"

// Proved is an account whose player has proved to own it, with a code if it asks for one.
type Proved struct {
	Account rushgate.Account // as it was proved
	// Credentials are what those of the account are once the code is used up that was part of the proof; nil if there was
	// none. They are written with the change that the proof is for, so that a code is good for one: until then it is good
	// for others, too.
	Credentials []rushgate.Credential
}

// Left are what the account has but for a code that is used up.
func (p *Proved) Left() []rushgate.Credential {
	if p.Credentials != nil {
		return p.Credentials
	}
	return p.Account.Credentials
}
