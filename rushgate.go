// Package rushgate holds the nouns that every part of Rushgate shares: accounts and characters, the [Store] that keeps
// them, the [World] they live in, and the [Reason] a player is given when a door stays shut.
//
// Rushgate is the front door and world server of an online game. To make a game of your own, implement [World] and hand
// it to package server; docs/embedding.md walks through a whole one. These packages are for others to import:
//
//   - server assembles a node and runs it; cmd/rushgate is its command line;
//   - client lets a game log in and play;
//   - world is the reference game, for those who have none yet;
//   - store/sqlite, store/redis and store/memory keep players, and store/storetest is the suite for a [Store] of your
//     own;
//   - netcode, protocol and password are of use without the rest: encrypted UDP, snapshots as deltas, hashes in
//     batches.
//
// # A login
//
// A request's way through the packages under internal/, which are of interest to those who change them:
//
//   - api takes it over HTTPS and checks its form;
//   - door decides at once: there is a place for it, or a time to come back;
//   - auth's workers take requests from a bounded queue in batches, load accounts from a [Store], derive keys (package
//     password), and commit the batch to the [Store];
//   - realm's tick takes the player who was admitted into the [World], in memory only, and completes the waiting
//     request;
//   - realm's saver writes characters back to the [Store] from copies.
//
// docs/architecture.md follows it through the files.
//
// # Stability
//
// This package follows semantic versioning: until v1.0.0 a minor version may change exported names, a patch version
// never, and CHANGELOG.md says which ones did. What lies under internal/ is not for others to import and changes at any
// time. Records in a store, and what goes over the wire, stay readable.
package rushgate

import "time"

// PlayerID identifies an account and its character, for ever. Ids start at 1; zero means "none".
type PlayerID uint64

// Character is a player's lasting state in the world. The fields are those that every game has; what a game counts goes
// into Numbers, and whatever else a [World] wants kept into Data.
type Character struct {
	// ID is the player's id.
	ID PlayerID
	// Name is shown to other players; it is the account's canonical username.
	Name string
	// Zone is the part of the world the character is in; empty until it has entered the world for the first time.
	Zone string
	// X and Y are a position within Zone, in the world's units.
	X, Y float64
	// Numbers are what the game counts. A world may keep and change the map that [World].Enter is given, which is never
	// nil, and return it from [World].Character: the node makes copies.
	Numbers Numbers
	// Playtime is the time spent in the world, to the millisecond.
	Playtime time.Duration
	// CreatedAt is when the character was made, to the millisecond.
	CreatedAt time.Time
	// Data is the world's own part, at most [MaxDataLen] bytes, opaque to everyone else.
	Data []byte
}

// MaxDataLen is the greatest length of [Character].Data in bytes.
const MaxDataLen = 64 << 10
