package realm

import (
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/protocol"
)

// Connection is what the realm needs of a player's realtime connection, over whatever transport. The tick and the
// goroutines that make snapshots call it, so its methods are safe for concurrent use and never wait for the network.
type Connection interface {
	// Disconnect ends the connection, soon after it has returned. Only the first call counts.
	Disconnect(why Cause)
	// LastReceived returns when the player's end last showed a sign of life, or when the connection began.
	LastReceived() time.Time
}

// Transport is a way in which snapshots go to the players who are connected by it. Two of them are the same if they
// compare equal. There are few, and each lasts as long as the realm.
type Transport interface {
	// Name is what operators know the transport by: one word in lower case.
	Name() string
	// Lossless reports whether all that is sent arrives, in order, as long as the connection lasts. Snapshots may take the
	// place of others all the same.
	Lossless() bool
	// NewSender returns what one goroutine sends snapshots with. Each goroutine that makes snapshots calls it once, so
	// it is safe for concurrent use; the senders it returns need not be.
	NewSender() Sender
}

// Sender sends the snapshots that one goroutine makes, to connections of one transport. Its methods do not wait for a
// player to read.
type Sender interface {
	// Send takes a snapshot for a connection of the sender's transport, or returns an error if it cannot be on its way.
	// The bytes are the caller's again afterwards.
	Send(to Connection, snapshot []byte) error
	// SendMessages is Send for a packet of the game's messages, of which none takes the place of another.
	SendMessages(to Connection, packet []byte) error
	// Flush sends what the sender has collected. What is lost by it is the transport's to count.
	Flush()
}

// Cause is why the realm ends a connection.
type Cause int

// The causes.
const (
	// SessionEnded is for a session that is over: by logout, by silence, taken over, or with its lease lost.
	SessionEnded Cause = iota
	// Replaced is for a connection in whose place the session's player connects anew.
	Replaced
	// Stopping is for a realm that stops.
	Stopping
	// Moved is for a session that goes on in another process: the player is to connect again, with the same token.
	Moved
)

// Attachment is a connection that was attached to its session.
type Attachment struct {
	realm *Realm
	link  *link
}

// Attach makes c, a connection over a transport, the realtime connection of the session of a token, in place of the one
// it has, which ends for being [Replaced], and of whatever a connect token of the session could still open. It counts
// as a renewal, see [Realm.Renew], whose errors it has. Without an error the caller has to call [Attachment.Detach] in
// the end. From the call on, also before it returns, the realm may use c.
func (r *Realm) Attach(token string, over Transport, c Connection) (*Attachment, error) {
	s, err := r.authenticate(token)
	if err != nil {
		return nil, err
	}
	l := newLink(over, c, s, r.cfg.SnapshotRate)
	if err := r.renew(s, l); err != nil {
		return nil, err
	}
	if s.gone.Load() { // it ended meanwhile, and did not see this connection
		s.link.CompareAndSwap(l, nil)
		return nil, rushgate.BadCredentials
	}
	r.stats.attached.Add(1)
	return &Attachment{r, l}, nil
}

// Receive takes a message from the player. While the inbox is full it waits. It may not be called by two goroutines at
// a time, nor after [Attachment.Detach]. The error is for what cannot be read, which changes nothing, and for what the
// world does not listen to: a transport that can is to tell the client.
func (a *Attachment) Receive(payload []byte) error { return a.realm.receive(a.link, payload) }

// Detach is to be called once, when the connection has ended, for whatever reason. It leaves the session without a
// connection, unless it has another one by now; it ends unless the player comes back in time. Until then the player
// stands still.
func (a *Attachment) Detach() {
	a.realm.stats.attached.Add(-1)
	a.realm.detach(a.link)
}

// detach takes a connection that has ended from its session.
func (r *Realm) detach(l *link) {
	r.deliver(l, protocol.Intent{Seq: l.intents.last() + 1})
	l.session.touch(l.conn.LastReceived())
	l.session.link.CompareAndSwap(l, nil)
}

// present reports whether what comes over a connection still counts: not when the session has another one.
func (l *link) present() bool {
	now := l.session.link.Load()
	return now == nil || now == l
}
