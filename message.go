package rushgate

// MaxMessage is the greatest length of [Message].Data in bytes.
const MaxMessage = 1024

// Message is something that a player says to the world, or the world to a player, in words of the game's own: chat, a
// trade, a sound. What the player wants to do, many times a second, is an [Intent]; what there is to see, [World].View.
type Message struct {
	// Player is who has said it, or is to be told it. The world may say 0: all players inside.
	Player PlayerID
	// Reliable says that it arrives once and in the order of all reliable messages of its sender to its receiver, for as
	// long as the player's session lasts on this node; docs/protocol.md says what is promised beyond. What is not may
	// be lost, and overtake others.
	Reliable bool
	// Data is 1 to [MaxMessage] bytes. What a player says may be anything.
	Data []byte
}

// Messenger is a [World] that talks with its players. It is called as the World is, by the goroutine that owns it, and
// both methods have the duties of World's: no I/O, no waiting, nothing that is given kept. A panic costs the call.
//
// A player says 30 messages a second at most, and 60 at once; of what is more, unreliable ones are dropped, and
// reliable ones come later. They count among the messages that a tick takes from players. For a player who does not
// take them, over a bad network say, 256 reliable messages or 64 KiB wait; with one more all that waits is dropped but
// that one, and the player's client is told that something was lost.
type Messenger interface {
	World
	// Hear takes a message of a player who is inside, before a step. Data is the world's during the call only.
	Hear(m Message)
	// Speak appends what the world has to say to dst and returns the extended slice. It is called after each step. Data
	// has to stay as it is until the next call of any method. Messages to a player who is not inside are dropped, and so
	// are those whose length is out of range. What is said leaves with the player's next snapshot.
	Speak(dst []Message) []Message
}
