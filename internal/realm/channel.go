package realm

import (
	"encoding/binary"
	"errors"
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

// ticketIn returns the number of the ticket in the user data of a connect token.
func ticketIn(data *[netcode.UserDataSize]byte) uint64 { return binary.LittleEndian.Uint64(data[:]) }

// MayReplace reports whether the player connected as old may connect anew with a token of this user data: that of the
// session's newest ticket. It is the ServerConfig.Replace of a realm's channel.
func MayReplace(old *netcode.Peer, userData *[netcode.UserDataSize]byte) bool {
	l, ok := old.Data.(*link)
	return ok && !l.session.gone.Load() && l.session.ticket.current() == ticketIn(userData)
}

// datagrams is the transport of the channel: UDP, with netcode's packets around what is sent.
type datagrams struct{ server *netcode.Server }

func (d *datagrams) Name() string      { return "udp" }
func (d *datagrams) Lossless() bool    { return false }
func (d *datagrams) NewSender() Sender { return &datagramSender{batch: d.server.NewBatch()} }

// datagramSender collects one goroutine's snapshots, so that many of them take one system call.
type datagramSender struct{ batch *netcode.Batch }

func (s *datagramSender) Send(c Connection, snapshot []byte) error {
	return s.batch.Add(c.(peerConnection).Peer, snapshot)
}

func (s *datagramSender) SendMessages(c Connection, packet []byte) error { return s.Send(c, packet) }

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
	replaced  *link // has ended, and its player is connected anew by the next call
}

// Connected attaches a connection to its session, or ends it if there is none: the token was of an earlier session, or
// has been replaced.
func (h *channelHandler) Connected(p *netcode.Peer) {
	h.attach(p)
	if l := h.replaced; l != nil {
		h.replaced = nil
		h.detach(l)
	}
}

func (h *channelHandler) attach(p *netcode.Peer) {
	s, _ := h.byPlayer.get(rushgate.PlayerID(p.ClientID()))
	if s == nil {
		p.Disconnect()
		return
	}
	l := newLink(h.datagrams, peerConnection{p}, s, h.cfg.SnapshotRate)
	old, ok := s.admit(l, ticketIn(p.UserData()))
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

// Received takes a message. While the inbox is full it waits, and nothing is read: what comes then stays in the
// socket's buffer, and is dropped there when that is full too.
func (h *channelHandler) Received(p *netcode.Peer, payload []byte) {
	if l, ok := p.Data.(*link); ok {
		_ = h.receive(l, payload) // it is counted; a datagram has no room for words
	}
}

// Disconnected leaves the session without a connection; it ends unless the player comes back in time. Until then the
// player stands still. One who has connected anew goes on: the session keeps the connection until it has the next.
func (h *channelHandler) Disconnected(p *netcode.Peer, why error) {
	l, ok := p.Data.(*link)
	switch {
	case !ok:
	case errors.Is(why, netcode.ErrReplaced):
		h.replaced = l
	default:
		h.detach(l)
	}
}
