package netcode

import (
	"crypto/cipher"
	"errors"
	"fmt"
	"net/netip"
)

// batchSize is how many datagrams go to the network with one call.
const batchSize = 32

// ErrPayloadSize is returned for a payload that is empty or larger than MaxPayload.
var ErrPayloadSize = fmt.Errorf("netcode: a payload has 1 to %d bytes", MaxPayload)

// ErrDisconnected is returned for a peer whose connection has ended.
var ErrDisconnected = errors.New("netcode: disconnected")

// outbox collects sealed datagrams and sends them many at a time. Its memory is its own: nothing is allocated after
// newOutbox. One goroutine at a time.
type outbox struct {
	conn       Conn
	stats      *counters
	protocolID uint64
	scratch    scratch
	messages   []Message
	n          int // messages waiting
	bytes      int // in them
	small      [8]byte
}

func newOutbox(conn Conn, stats *counters, protocolID uint64) *outbox {
	o := &outbox{conn: conn, stats: stats, protocolID: protocolID, messages: make([]Message, batchSize)}
	room := make([]byte, batchSize*maxPacket)
	for i := range o.messages {
		o.messages[i].Buf = room[i*maxPacket : (i+1)*maxPacket : (i+1)*maxPacket]
	}
	return o
}

// path is where a datagram goes, and the address of this machine it leaves from; see Message.Local.
type path struct {
	addr  netip.AddrPort
	local netip.Addr
}

// add seals one packet and, when that fills the outbox, flushes it.
func (o *outbox) add(to path, aead cipher.AEAD, t packetType, seq uint64, data []byte) error {
	room := o.messages[o.n].Buf[:0]
	return o.push(to, len(sealPacket(room, &o.scratch, aead, o.protocolID, t, seq, data)))
}

// answer has other append an answer to a datagram that is no packet, and adds it unless it is longer than the datagram:
// the port must be of no use for sending an address more than it was made to look to have asked for.
func (o *outbox) answer(to path, datagram []byte, other func([]byte, netip.AddrPort, []byte) []byte) error {
	buf := o.messages[o.n].Buf
	b := other(buf[:0:min(len(datagram), len(buf))], to.addr, datagram)
	if len(b) == 0 || len(b) > len(datagram) || len(b) > len(buf) {
		return nil
	}
	return o.push(to, copy(buf, b)) // which moves nothing if other has appended
}

// push takes the next message, whose first n bytes are written, and flushes the outbox if that fills it.
func (o *outbox) push(to path, n int) error {
	m := &o.messages[o.n]
	m.N, m.Addr, m.Local = n, to.addr, to.local
	o.n++
	o.bytes += n
	if o.n == len(o.messages) {
		return o.flush()
	}
	return nil
}

// keepAlive adds a connection keep-alive packet of a number, which tells the peer its slot.
func (o *outbox) keepAlive(p *Peer, seq uint64) error {
	data := appendKeepAlive(o.small[:0], keepAlive{index: p.index, maxClients: p.maxClients})
	return o.add(p.path(), p.seal, packetKeepAlive, seq, data)
}

// flush sends what is waiting. Whatever the network says, the outbox is empty afterwards: the protocol sends no
// datagram twice. The network does not say which datagrams it refused, so the bytes of all of them are counted.
func (o *outbox) flush() error {
	if o.n == 0 {
		return nil
	}
	sent, err := o.conn.WriteBatch(o.messages[:o.n])
	o.stats.packetsSent.Add(uint64(sent))
	o.stats.packetsNotSent.Add(uint64(o.n - sent))
	o.stats.bytesSent.Add(uint64(o.bytes))
	o.n, o.bytes = 0, 0
	return err
}

// Batch sends payloads to many peers with few system calls. It is used by one goroutine at a time; any number of
// batches may be used in parallel, for the same peers too. A Batch holds about 40 KiB and never allocates.
type Batch struct {
	out *outbox
}

// NewBatch returns an empty batch. Keep it: it is meant to be filled and flushed again and again.
func (s *Server) NewBatch() *Batch {
	return &Batch{out: newOutbox(s.conn, &s.stats, s.protocolID)}
}

// Add seals payload, 1 to MaxPayload bytes, for p at once, so that the caller may reuse the slice. Until something has
// come from the peer, a keep-alive goes before every payload: without one the client does not know yet that it is
// connected. A full batch flushes itself; should that fail, Add returns the error and the payload may be lost.
//
// Add returns ErrDisconnected for a peer whose connection has ended, ErrMoved after Server.State until Server.Resume,
// and an error that wraps ErrPayloadSize for a payload of the wrong size; all of them leave the batch as it was.
func (b *Batch) Add(p *Peer, payload []byte) error {
	if len(payload) == 0 || len(payload) > MaxPayload {
		return fmt.Errorf("%w, not %d", ErrPayloadSize, len(payload))
	}
	if p.gone.Load() {
		return ErrDisconnected
	}
	if !p.confirmed.Load() {
		seq, err := p.nextToSend()
		if err == nil {
			err = b.out.keepAlive(p, seq)
		}
		if err != nil {
			return err
		}
	}
	if !p.sent.Load() { // a load first: most peers of a batch were sent to since the last pass
		p.sent.Store(true)
	}
	seq, err := p.nextToSend()
	if err != nil {
		return err
	}
	return b.out.add(p.path(), p.seal, packetPayload, seq, payload)
}

// nextToSend returns a sequence number for a goroutine other than the server's, or ErrMoved. The number comes first:
// one from beyond the jump that State makes is never used while another server sends, whose packets the client would
// take for old ones.
func (p *Peer) nextToSend() (uint64, error) {
	seq := p.nextSequence()
	if p.server.moved.Load() {
		return 0, ErrMoved
	}
	return seq, nil
}

// Flush sends what Add collected. Datagrams that the network refuses are lost, as any datagram may be, and counted in
// ServerStats.PacketsNotSent; an error means that the connection as a whole has failed, and matches net.ErrClosed after
// the server has stopped.
func (b *Batch) Flush() error { return b.out.flush() }
