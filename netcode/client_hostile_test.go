package netcode

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// forged is a datagram that a client must not act on.
type forged struct {
	name string
	data []byte
}

// forgeries returns all there is to do with a valid packet p without its key.
func forgeries(p []byte) (all []forged) {
	for bit := range len(p) * 8 {
		f := bytes.Clone(p)
		f[bit/8] ^= 1 << (bit % 8)
		all = append(all, forged{fmt.Sprintf("bit %d flipped", bit), f})
	}
	for n := range p {
		all = append(all, forged{fmt.Sprintf("cut to %d bytes", n), bytes.Clone(p[:n])})
	}
	return append(all, forged{"one byte longer", append(bytes.Clone(p), 0)},
		forged{"much longer", append(bytes.Clone(p), make([]byte, 2000)...)})
}

// unwanted returns packets that are sealed for another purpose, and sealed ones that a client does not read.
func (s *script) unwanted() []forged {
	token := s.token
	seal := func(key Key, protocolID uint64, t packetType, data []byte) []byte {
		return sealPacket(nil, &s.scratch, newAEAD(&key), protocolID, t, 1<<20, data)
	}
	r := token.request()
	return []forged{
		{"request", appendRequest(nil, token.ProtocolID, &r)},
		{"response", seal(token.ServerToClient, token.ProtocolID, packetResponse, challengeData)},
		{"unknown type", seal(token.ServerToClient, token.ProtocolID, packetTypes, []byte("x"))},
		{"other key", seal(testKey, token.ProtocolID, packetPayload, []byte("x"))},
		{"reflected", seal(token.ClientToServer, token.ProtocolID, packetPayload, []byte("x"))},
		{"other protocol", seal(token.ServerToClient, token.ProtocolID+1, packetPayload, []byte("x"))},
		{"empty payload", seal(token.ServerToClient, token.ProtocolID, packetPayload, nil)},
		{"long payload", seal(token.ServerToClient, token.ProtocolID, packetPayload, make([]byte, MaxPayload+1))},
		{"short keep-alive", seal(token.ServerToClient, token.ProtocolID, packetKeepAlive, make([]byte, 7))},
		{"disconnect with data", seal(token.ServerToClient, token.ProtocolID, packetDisconnect, []byte("x"))},
		{"empty datagram", nil},
	}
}

func TestConnectedClientIgnoresForgedPackets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, _ := connect(t, nil)
		r := readAll(c)
		all := append(forgeries(s.seal(packetPayload, []byte("forged"))), s.unwanted()...)
		all = append(all, forgeries(s.seal(packetDisconnect, nil))...)
		all = append(all, forged{"challenge", s.seal(packetChallenge, challengeData)},
			forged{"denied", s.seal(packetDenied, nil)})
		for _, f := range all {
			s.write(f.data)
			synctest.Wait()
			if len(r.payloads) > 0 || c.State() != StateConnected {
				t.Fatalf("%s: read %q, state %v", f.name, r.payloads, c.State())
			}
		}
		s.seq = 1 << 21 // past those of unwanted, some of which are authentic
		s.payload("genuine")
		synctest.Wait()
		c.Close()
		r.wait()
		if !slices.Equal(r.payloads, []string{"genuine"}) {
			t.Errorf("read %q", r.payloads)
		}
	})
}

func TestClientIgnoresForgedPacketsInHandshake(t *testing.T) {
	for _, state := range []State{StateSendingRequest, StateSendingResponse} {
		t.Run(state.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, s, _ := connect(t, nil)
				c.Close()
				s.collect(time.Second)
				d := handshakeIn(s.token, state)
				a := d.tries[0]
				all := append(forgeries(s.seal(packetChallenge, challengeData)), s.unwanted()...)
				s.seq = 1 << 21 // past those of unwanted, some of which are authentic
				all = append(all, forgeries(s.seal(packetDenied, nil))...)
				all = append(all, forgeries(s.seal(packetKeepAlive, make([]byte, keepAliveSize)))...)
				all = append(all, forged{"payload", s.seal(packetPayload, []byte("x"))},
					forged{"disconnect", s.seal(packetDisconnect, nil)})
				if state == StateSendingRequest {
					all = append(all, forged{"keep-alive", s.seal(packetKeepAlive, make([]byte, keepAliveSize))})
				} else {
					all = append(all, forged{"challenge", s.seal(packetChallenge, challengeData)})
				}
				for _, f := range all {
					connected := d.take(arrival{try: a, packet: f.data})
					if connected || len(d.tries) != 1 || a.challenged != (state == StateSendingResponse) ||
						a.response != [len(a.response)]byte{} {
						t.Fatalf("%s: connected %v, tries %v", f.name, connected, d.tries)
					}
				}
			})
		})
	}
}

func TestClientReadsNothingTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, _ := connect(t, nil)
		r := readAll(c)
		var want []string
		var packets [][]byte
		for i := range 2 * replayWindowSize {
			text := fmt.Sprint(i)
			packets = append(packets, s.seal(packetPayload, []byte(text)))
			if i >= replayWindowSize {
				want = append(want, text)
			}
		}
		// Newest first: the older half is then too old to tell whether it is new.
		for _, p := range slices.Backward(packets) {
			s.write(bytes.Clone(p))
			s.write(bytes.Clone(p))
		}
		for _, p := range packets {
			s.write(p)
		}
		synctest.Wait()
		c.Close()
		r.wait()
		slices.Reverse(r.payloads)
		if !slices.Equal(r.payloads, want) {
			t.Errorf("read %d payloads, want the newest %d once each", len(r.payloads), len(want))
		}
	})
}

// Only what the server says now keeps a connection alive.
func TestForgedPacketsDoNotKeepAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, _ := connect(t, nil)
		start := time.Now()
		keepAlive := s.seal(packetKeepAlive, make([]byte, keepAliveSize))
		s.write(bytes.Clone(keepAlive))
		r := readAll(c)
		for range 200 {
			time.Sleep(50 * time.Millisecond)
			s.write(bytes.Clone(keepAlive)) // replayed
			s.write(s.seal(packetChallenge, challengeData))
			s.write([]byte("nonsense, as long as a packet"))
		}
		if err := r.wait(); !errors.Is(err, StateError{StateTimedOut}) || r.ended.Sub(start) != 5*time.Second {
			t.Errorf("Read failed with %v after %v, want a timeout after 5s", err, r.ended.Sub(start))
		}
	})
}

func FuzzClientReceive(f *testing.F) {
	token := tokenFor(f, nil)
	parsed, err := ParseConnectToken(token)
	if err != nil {
		f.Fatal(err)
	}
	s := &script{t: f, token: parsed}
	for _, p := range [][]byte{
		s.seal(packetDenied, nil), s.seal(packetChallenge, challengeData), s.seal(packetDisconnect, nil),
		s.seal(packetKeepAlive, make([]byte, keepAliveSize)), s.seal(packetPayload, []byte("hello")),
	} {
		for state := StateSendingRequest; state <= StateConnected; state++ {
			f.Add(int8(state), p)
		}
	}
	for _, u := range s.unwanted() {
		f.Add(int8(StateConnected), u.data)
	}
	f.Fuzz(func(t *testing.T, state int8, p []byte) {
		if State(state) < StateSendingRequest || State(state) > StateConnected || len(p) > maxPacket+1 {
			t.Skip()
		}
		sealed := bytes.Clone(p)
		opens := func(c *Client) bool {
			_, _, _, err := openPacket(sealed, &scratch{}, c.opener, parsed.ProtocolID, nil)
			return err == nil
		}
		if State(state) != StateConnected {
			d := handshakeIn(parsed, State(state))
			a := d.tries[0]
			connected := d.take(arrival{try: a, packet: p})
			changed := connected || len(d.tries) != 1 || a.challenged != (State(state) == StateSendingResponse)
			if changed && !opens(d.client) {
				t.Errorf("in state %v a packet that does not open led to connected %v, %+v", State(state), connected, a)
			}
			return
		}
		c := newClient(parsed, ClientOptions{})
		payload, err := c.receive(p)
		if (payload != nil || err != nil) && !opens(c) {
			t.Errorf("a packet that does not open led to %q, %v", payload, err)
		}
		if len(payload) > MaxPayload {
			t.Errorf("payload of %d bytes", len(payload))
		}
	})
}

// handshakeIn returns a Dial in this state, without its goroutines.
func handshakeIn(token *ConnectToken, state State) *dialing {
	a := &try{conn: deaf{}}
	d := &dialing{client: newClient(token, ClientOptions{}), tries: []*try{a}}
	if state == StateSendingResponse {
		a.challenged, a.responses, d.chosen = true, 1, a
	}
	return d
}

// deaf is a socket that takes what is written, and no other call but Close.
type deaf struct{ net.Conn }

func (deaf) Write(b []byte) (int, error) { return len(b), nil }
func (deaf) Close() error                { return nil }
