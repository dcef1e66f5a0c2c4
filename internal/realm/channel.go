package realm

import (
	"encoding/binary"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/netcode"
)

// TokenUserData returns the user data that the connect token of a session must carry for the realm to accept the
// connection.
func TokenUserData(s rushgate.Session) (data [netcode.UserDataSize]byte) {
	binary.LittleEndian.PutUint64(data[:], s.Ticket)
	return data
}

// datagrams is the transport of the channel: UDP, with netcode's packets around what is sent.
type datagrams struct{ server *netcode.Server }

func (d *datagrams) Name() string      { return "udp" }
func (d *datagrams) NewSender() Sender { return &datagramSender{batch: d.server.NewBatch()} }

// datagramSender collects one goroutine's snapshots, so that many of them take one system call.
type datagramSender struct{ batch *netcode.Batch }

func (s *datagramSender) Send(c Connection, snapshot []byte) error {
	return s.batch.Add(c.(peerConnection).Peer, snapshot)
}

func (s *datagramSender) Flush() {
	_ = s.batch.Flush() // what the network does not take is lost like any datagram, and counted by the channel
}

// peerConnection is a connection over the channel.
type peerConnection struct{ *netcode.Peer }

// Disconnect ends the connection; netcode has no word for the cause.
func (p peerConnection) Disconnect(Cause) { p.Peer.Disconnect() }

// channelHandler is the realm as its channel sees it. The channel calls it on one goroutine.
type channelHandler struct {
	*Realm
	datagrams *datagrams
}

// Connected attaches a connection to its session, or ends it if there is none: the token was of an earlier session, or
// has been replaced.
func (h channelHandler) Connected(p *netcode.Peer) {
	s, _ := h.byPlayer.get(rushgate.PlayerID(p.ClientID()))
	if s == nil {
		p.Disconnect()
		return
	}
	l := newLink(h.datagrams, peerConnection{p}, s, h.cfg.SnapshotRate)
	old, ok := s.admit(l, binary.LittleEndian.Uint64(p.UserData()[:]))
	if !ok {
		p.Disconnect()
		return
	}
	if old != nil {
		old.conn.Disconnect(Replaced)
	}
	p.Data = l
	s.touch(time.Now())
	if s.gone.Load() { // it ended meanwhile, and did not see this connection
		p.Disconnect()
	}
}

// Received takes an intent. While the inbox is full it waits, and nothing is read: what comes then stays in the
// socket's buffer, and is dropped there when that is full too.
func (h channelHandler) Received(p *netcode.Peer, payload []byte) {
	if l, ok := p.Data.(*link); ok {
		_ = h.receive(l, payload) // it is counted; a datagram has no room for words
	}
}

// Disconnected leaves the session without a connection; it ends unless the player comes back in time. Until then the
// player stands still.
func (h channelHandler) Disconnected(p *netcode.Peer, _ error) {
	if l, ok := p.Data.(*link); ok {
		h.detach(l)
	}
}
