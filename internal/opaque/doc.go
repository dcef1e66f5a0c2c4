// Package opaque is the server's half of OPAQUE (RFC 9807): players prove that they know their passwords, and the
// server never sees one, nor anything that could be guessed at without its own key. The costly hashing is the client's.
//
// There is one configuration: ristretto255 and SHA-512 for the OPRF, HKDF-SHA512, HMAC-SHA512, SHA-512, 3DH on
// ristretto255, no context, and the public keys as identities. It is what github.com/bytemare/opaque calls its default,
// and what the npm package @serenity-kit/opaque 1.1.0 (opaque-ke) has. The client's half is package opaqueclient.
//
// A [Server] answers from [Keys], which are kept in a file:
//
//	registration:  request        → [Server.RegisterStart]   → response, state
//	               state, upload  → [Server.RegisterFinish]  → name, Record
//	login:         KE1, Record    → [Server.LoginStart]      → KE2, state
//	               state          → [Server.LoginOpen]       → Pending, with the name to load the account by
//	               Record, KE3    → [Server.LoginFinish]     → session key
//
// Between start and finish the server keeps nothing: what it has to know again is in the state, which the client
// carries and cannot read. It is sealed, ends after a while, is for one purpose, and can be used once at each server,
// see [Used]. A name without an account is answered from a fake record, at the same cost and in as many bytes.
//
// A guess at a password costs a client one LoginStart, and it knows from the answer whether the guess was right: it
// need not come back. So it is the start that has to be counted as a failure, unless the finish takes it back.
//
// # What computes it
//
// The arithmetic is that of github.com/gtank/ristretto255 on filippo.io/edwards25519, in constant time. The protocol on
// top of it is in suite.go and answer.go of this package, since the library checks its own keys and multiplies the
// generator the slow way at every login, which is a third of what a login costs it. Tests hold each byte to the
// library's, and to the vectors of the RFC. Neither this package, nor the library, nor ristretto255 was audited; their
// versions are pinned in go.mod.
package opaque
