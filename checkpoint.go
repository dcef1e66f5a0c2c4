package rushgate

// MaxCheckpoint is the greatest length of a [Checkpointer]'s checkpoint, in bytes.
const MaxCheckpoint = 256 << 20

// Checkpointer is a [World] that can be moved into another process while players are inside: a node is replaced by a
// new one (`rushgate serve --handover`) and no player is thrown out. A World that is no Checkpointer cannot be
// handed over; its node has to be stopped and started.
//
// The new process may run another version of the game, newer or older. So a checkpoint begins with a version, and
// Restore refuses what it does not know whole: the old process then goes on as if nothing had been asked of it.
type Checkpointer interface {
	World
	// Checkpoint appends the whole state of the world to dst and returns the extended slice: the players inside, and
	// all else that decides what the coming steps do, timers and random numbers included. A world that was restored
	// from it goes on as this one would have. At most [MaxCheckpoint] bytes; with an error, or more, the world stays
	// where it is. It changes nothing, and is called between two steps, on the goroutine that owns the world: all
	// players stand still meanwhile, so it is to take milliseconds.
	Checkpoint(dst []byte) ([]byte, error)
	// Restore puts a world that is new into the state of a checkpoint, with the players who were inside: Enter is not
	// called for them. It is the first call of all, on the goroutine that made the world, and keeps no reference to
	// its argument. Whatever the bytes are, it returns an error rather than panic, and allocates no more than in
	// proportion to their length; a world that has returned an error is not used any further.
	Restore(checkpoint []byte) error
}
