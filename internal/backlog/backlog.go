// Package backlog reads the kernel's queue of connections that wait to be accepted: how long it is, how long it may
// become, and whether connections were lost for want of room. A client whose connection finds no room hears nothing,
// and its system tries again after a second, then after two, and so on.
//
// All of it is known on Linux only.
package backlog

// Queue is the queue of one listener at one moment.
type Queue struct {
	Length int // connections that wait to be accepted
	Limit  int // how many may wait: net.core.somaxconn when the listener was opened, and no more than that
}

// Losses are what the kernel has dropped since the network namespace was made, which for most programs is since the
// system was started. They are of all listeners in the namespace, those of other processes included: the kernel keeps
// no such account for each.
type Losses struct {
	Overflows float64 // connections, or attempts at one, for which a queue had no room
	Drops     float64 // attempts at a connection that were dropped, for want of room or of anything else
}
