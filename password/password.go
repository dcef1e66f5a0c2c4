// Package password stores passwords as self-describing hashes and verifies them, many at a time.
//
// New hashes are PBKDF2-HMAC-SHA256 (RFC 8018) with a random salt, written as
//
//	salt$iterations$key          16 and 32 bytes in lower-case hexadecimal
//	salt$iterations$key$pepper   the same of a password keyed with a server-side pepper
//
// Verified are these and, for accounts that come from elsewhere, salt$key (100,000 iterations are understood), PHC
// strings of argon2id (RFC 9106), bcrypt strings, and what [Keep] and [Harden] make of the hashes of other systems:
//
//	$rg1old$recipe$digest                        another system's digest, and how it is made of a password
//	$rg1over$recipe$salt$iterations$key[$pepper] a new hash of such a digest
//
// Whatever is not written as a new hash would be, at the current
// cost and with the current pepper, needs rehashing: see [Job].Rehash.
//
// A [Hasher] works through batches of [Job]: that is how a login server gets them, and how the machine computes them
// fastest.
//
// # Stability
//
// This package follows semantic versioning: until v1.0.0 a minor version may change exported names, a patch version
// never, and CHANGELOG.md says which ones did. A hash that a version has written is verified by every later one.
package password
