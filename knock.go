package rushgate

import "net/netip"

// Knock is a player at the door, as a policy sees one (see Config.Policy of package server). Nothing of it is proved.
type Knock struct {
	// Origin is the client's address, an IPv4 address in its own form; behind trusted proxies it is what they say.
	Origin netip.Addr
	// Name is the canonical username that the client claims or wants.
	Name string
	// Kind is what the client wants.
	Kind KnockKind
	// By is, with KnockRegister, what is to open the account in place of a password: [KnockGuest] or [KnockFederated].
	// Empty: a password. Such a name is chosen by the server: it is what a provider calls the player, or by chance.
	By KnockKind
}

// KnockKind is what a [Knock] wants. More may come: a policy should let pass what it does not know, or refuse it, on
// purpose.
type KnockKind string

// The kinds of [Knock].
const (
	// KnockLogin wants in with an account.
	KnockLogin KnockKind = "login"
	// KnockRegister wants an account, and in. For a guest or a player by the word of a provider it comes after
	// [KnockGuest] or [KnockFederated], once it is known that no account has the identity, with the name that one is about
	// to get; see Knock.By.
	KnockRegister KnockKind = "register"
	// KnockResume wants in with a token of an earlier login: that of a device which the account is remembered on, or of a
	// session that goes on, on this node or after its end on another.
	KnockResume KnockKind = "resume"
	// KnockPasskey wants in with a passkey. It does not say of which account: the Name is empty.
	KnockPasskey KnockKind = "passkey"
	// KnockGuest wants in with a device that plays as a guest, and KnockFederated by the word of a provider; if no account
	// has that identity, one is to be made, about which the policy is asked once more, see [KnockRegister]. They do not
	// say of which account: the Name is empty.
	KnockGuest     KnockKind = "guest"
	KnockFederated KnockKind = "federated"
	// KnockRename is of a player who is inside and wants another name for the account, which is the Name: by a rename, or
	// with the password that a guest gets. It is not asked about what operators do.
	KnockRename KnockKind = "rename"
)
