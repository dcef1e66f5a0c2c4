package netcode

import (
	"errors"
	"sync/atomic"
)

// ServerStats is a snapshot of a server's counters. Clients and Pending are current values, everything else counts up
// from the start. The fields are read one after another, so a snapshot taken under load may be off by the packets
// of that moment.
type ServerStats struct {
	Clients int `json:"clients"` // slots in use
	Pending int `json:"pending"` // clients challenged but not yet connected

	PacketsReceived uint64 `json:"packets_received"` // datagrams, ignored ones included
	// of UDP payload; a datagram that was cut off counts as the room it had
	BytesReceived  uint64 `json:"bytes_received"`
	PacketsSent    uint64 `json:"packets_sent"`     // datagrams the network took
	BytesSent      uint64 `json:"bytes_sent"`       // of UDP payload handed to the network, refused datagrams included
	PacketsNotSent uint64 `json:"packets_not_sent"` // datagrams the network refused
	ReadErrors     uint64 `json:"read_errors"`      // failed reads, other than for time or closing

	Handshakes uint64 `json:"handshakes"` // connection requests answered with a challenge
	Denied     uint64 `json:"denied"`     // requests and responses answered with a denial because all slots are taken
	Connects   uint64 `json:"connects"`   // clients given a slot
	Timeouts   uint64 `json:"timeouts"`   // clients dropped because nothing came from them
	Left       uint64 `json:"left"`       // clients that said goodbye
	Kicked     uint64 `json:"kicked"`     // clients dropped by Peer.Disconnect
	Replaced   uint64 `json:"replaced"`   // connections dropped for a new one of the same client

	Ignored IgnoredStats `json:"ignored"`
}

// IgnoredStats counts the packets a server did not act on, by the first check that they failed.
type IgnoredStats struct {
	// size, prefix byte or contents are not those of a packet a server reads
	Malformed        uint64 `json:"malformed"`
	WrongVersion     uint64 `json:"wrong_version"`     // request of another version of the protocol
	WrongProtocol    uint64 `json:"wrong_protocol"`    // request for another protocol id
	Expired          uint64 `json:"expired"`           // request with a connect token past its time
	Undecryptable    uint64 `json:"undecryptable"`     // the seal does not match the key
	WrongAddress     uint64 `json:"wrong_address"`     // connect token for other servers
	AlreadyConnected uint64 `json:"already_connected"` // the address or the client id has a slot already, which it keeps
	ReusedToken      uint64 `json:"reused_token"`      // connect token of another address, or of an earlier connection
	TooManyTokens    uint64 `json:"too_many_tokens"`   // connect token of a client that has 8 others in use
	HistoryFull      uint64 `json:"history_full"`      // no room to remember one more connect token
	Replayed         uint64 `json:"replayed"`          // sequence number seen before, or too old to tell
	UnknownSender    uint64 `json:"unknown_sender"`    // no connection and no handshake with this address
	NotConnected     uint64 `json:"not_connected"`     // handshake under way, but not a connection response
}

// cause says why a packet was ignored.
type cause int

const (
	causeMalformed cause = iota
	causeWrongVersion
	causeWrongProtocol
	causeExpired
	causeUndecryptable
	causeWrongAddress
	causeAlreadyConnected
	causeReusedToken
	causeTooManyTokens
	causeHistoryFull
	causeReplayed
	causeUnknownSender
	causeNotConnected
	causes // how many there are
)

// causeOf is the cause for an error of a packet or token that could not be read.
func causeOf(err error) cause {
	switch {
	case errors.Is(err, errNotAuthentic):
		return causeUndecryptable
	case errors.Is(err, errReplayed):
		return causeReplayed
	case errors.Is(err, errVersion):
		return causeWrongVersion
	case errors.Is(err, errProtocol):
		return causeWrongProtocol
	default:
		return causeMalformed
	}
}

// counters are what ServerStats is read from. The server's goroutine and every Batch count here.
type counters struct {
	clients, pending atomic.Int64

	packetsReceived, bytesReceived atomic.Uint64
	packetsSent, bytesSent         atomic.Uint64
	packetsNotSent, readErrors     atomic.Uint64
	handshakes, denied             atomic.Uint64
	connects, timeouts, left       atomic.Uint64
	kicked, replaced               atomic.Uint64
	ignored                        [causes]atomic.Uint64
}

func (c *counters) ignore(why cause) { c.ignored[why].Add(1) }

// Stats returns the current counters. It may be called from any goroutine, also before Start and after Stop.
func (s *Server) Stats() ServerStats {
	c := &s.stats
	return ServerStats{
		Clients: int(c.clients.Load()), Pending: int(c.pending.Load()),
		PacketsReceived: c.packetsReceived.Load(), BytesReceived: c.bytesReceived.Load(),
		PacketsSent: c.packetsSent.Load(), BytesSent: c.bytesSent.Load(),
		PacketsNotSent: c.packetsNotSent.Load(), ReadErrors: c.readErrors.Load(),
		Handshakes: c.handshakes.Load(), Denied: c.denied.Load(), Connects: c.connects.Load(),
		Timeouts: c.timeouts.Load(), Left: c.left.Load(), Kicked: c.kicked.Load(), Replaced: c.replaced.Load(),
		Ignored: c.ignoredStats(),
	}
}

func (c *counters) ignoredStats() IgnoredStats {
	return IgnoredStats{
		Malformed:        c.ignored[causeMalformed].Load(),
		WrongVersion:     c.ignored[causeWrongVersion].Load(),
		WrongProtocol:    c.ignored[causeWrongProtocol].Load(),
		Expired:          c.ignored[causeExpired].Load(),
		Undecryptable:    c.ignored[causeUndecryptable].Load(),
		WrongAddress:     c.ignored[causeWrongAddress].Load(),
		AlreadyConnected: c.ignored[causeAlreadyConnected].Load(),
		ReusedToken:      c.ignored[causeReusedToken].Load(),
		TooManyTokens:    c.ignored[causeTooManyTokens].Load(),
		HistoryFull:      c.ignored[causeHistoryFull].Load(),
		Replayed:         c.ignored[causeReplayed].Load(),
		UnknownSender:    c.ignored[causeUnknownSender].Load(),
		NotConnected:     c.ignored[causeNotConnected].Load(),
	}
}
