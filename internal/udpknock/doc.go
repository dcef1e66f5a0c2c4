// Package udpknock is how a client asks for its place in the line by UDP, on the port of the realtime channel, before
// it has a session: in a few microseconds of the node's CPU, where a refusal over HTTP takes a connection.
//
//	client                         node
//	KNOCK, no cookie      →
//	                      ←        COOKIE             proves that the client hears what is sent to its address
//	KNOCK with the cookie →
//	                      ←        ANSWER             come in, wait, or come back later; and a cookie for the next time
//
// The node keeps nothing of a client, neither before the cookie nor after it: an [Answerer] has two keys and a budget.
// An answer is smaller than the knock, so that a forged address gains nothing. [Asker] is the client's half.
//
// Nothing is encrypted, and what a node says is not authenticated towards the client: an answer that is not the node's
// can come from a machine on the way only, since it has to repeat the nonce. It can have a client wait, or send it to
// HTTP, where it is told the truth. A ticket that others see is worthless to them without the secret of which its
// holder is the hash. docs/protocol.md specifies the messages.
package udpknock
