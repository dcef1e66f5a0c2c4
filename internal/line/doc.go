// Package line keeps a line in which a place is the player's own, and costs the server nothing while the player waits.
//
// A player who finds no room is given a [Ticket], sealed with the keys of the fleet ([Keyring]): its turn, its holder,
// and who issued it. The server keeps no players, only counts: how many tickets were issued for each slice of time, and
// up to which turn it now serves.
package line
