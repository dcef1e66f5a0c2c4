// Package line keeps a line in which a place is the player's own, and costs the server nothing while the player waits.
//
// A player who finds no room is given a [Ticket], sealed with the keys of the fleet ([Keyring]): its turn, its holder,
// and who issued it. The server keeps no players. A [Line] counts how many turns were given for each slice of time
// (track.go), and moves a watermark over the counts, as room is made behind the door (calls.go): turns before it have
// come, and are good for a grace. The order is that of turns, so that each node of a fleet honours the tickets of all,
// and a restart loses none (state.go). A ticket is good for one coming in (redeem.go). What else the line remembers is
// of fixed size: which tickets were redeemed (redeemed.go), which origins ask for more than their share (shares.go),
// and the turns of clients that know nothing of tickets (remember.go). Tiers have tracks of their own (tiers.go).
//
// A client is told its place, an interval, and when to ask again (outlook.go); or it finds all of this by one small
// document that is the same for all (document.go).
//
// The package does no I/O and starts no goroutine. Time and chance are injected (clock.go), and one mutex guards a
// line: no method holds it for longer than some microseconds, but [Line.State] and [Line.Document] for some more.
package line
