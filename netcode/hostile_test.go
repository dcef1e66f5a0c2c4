package netcode

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/internal/memnet"
)

// attacker injects datagrams from any address, honest clients' addresses included, and listens to everything the
// honest clients send.
type attacker struct {
	f      *fixture
	rng    *rand.Rand
	honest []*wireClient
}

// write sends p as if it came from addr, whichever client has that address.
func (a *attacker) write(from int, p []byte) {
	conn, err := a.f.network.Dial(clientAddr(from), testServer)
	if err != nil { // taken by an honest client: use its socket, not its state
		conn = a.honest[from].conn
	} else {
		defer conn.Close()
	}
	_, _ = conn.Write(p)
}

// overheard returns a copy of a datagram that an honest client has sent.
func (a *attacker) overheard() (from int, p []byte) {
	from = a.rng.IntN(len(a.honest))
	sent := a.honest[from].sent
	if len(sent) == 0 {
		return from, []byte{0}
	}
	return from, append([]byte(nil), sent[a.rng.IntN(len(sent))]...)
}

// strike sends one hostile datagram.
func (a *attacker) strike() {
	stranger := 1000 + a.rng.IntN(5000)
	from, p := a.overheard()
	switch a.rng.IntN(7) {
	case 0: // garbage
		p = make([]byte, a.rng.IntN(maxPacket+20))
		for i := range p {
			p[i] = byte(a.rng.Uint32())
		}
		from = stranger
	case 1: // a request that looks right
		p = a.f.token(spec(a.rng.Uint64())).appendRequestTo(nil)
		p[100+a.rng.IntN(900)]++
		from = stranger
	case 2: // replay from the same address
	case 3: // replay from elsewhere
		from = stranger
	case 4: // truncated
		p = p[:a.rng.IntN(len(p)+1)]
	case 5: // one bit flipped
		i := a.rng.IntN(len(p))
		p[i] ^= 1 << a.rng.IntN(8)
	case 6: // another type or length of sequence number
		p[0] = byte(a.rng.Uint32())
	}
	a.write(from, p)
}

func (t *ConnectToken) appendRequestTo(dst []byte) []byte {
	r := t.request()
	return appendRequest(dst, t.ProtocolID, &r)
}

// Under all of this every honest client gets in, stays in, and loses none of the payloads it sends.
func TestHonestClientsUnderAttack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const honest, rounds, strikesPerClient = 50, 40, 5
		f := serve(t, memnet.Options{Delay: 5 * time.Millisecond}, honest, nil)
		defer f.server.Stop()
		a := &attacker{f: f, rng: rand.New(rand.NewPCG(1, 2))}
		for n := range honest {
			a.honest = append(a.honest, f.dial(clientAddr(n), f.token(spec(uint64(n)))))
		}
		for n, c := range a.honest {
			for range 20 {
				a.strike()
			}
			if !c.connect(5 * time.Second) {
				t.Fatalf("client %d could not connect", n)
			}
			for _, c := range a.honest[:n] { // the others stay meanwhile
				c.keepAlive()
			}
		}
		for round := range rounds {
			for _, c := range a.honest {
				c.payload(fmt.Sprint(round))
				for range strikesPerClient {
					a.strike()
				}
				c.drain(0)
			}
			time.Sleep(50 * time.Millisecond)
		}
		for n := range uint64(honest) {
			if f.events.peer(n) == nil {
				t.Errorf("client %d is out: %v", n, f.events.ends[n])
			}
			for round := range rounds {
				if got := f.events.got(n, fmt.Sprint(round)); got != 1 {
					t.Errorf("client %d: payload %d arrived %d times", n, round, got)
				}
			}
		}
		got := f.server.Stats()
		if got.Connects != honest || got.Pending != 0 {
			t.Errorf("%d connects, %d handshakes under way", got.Connects, got.Pending)
		}
		if i := got.Ignored; min(i.Malformed, i.Undecryptable, i.Replayed, i.UnknownSender, i.AlreadyConnected) < 100 {
			t.Errorf("an attack did not take place: %+v", i)
		}
	})
}

// Holders of valid tokens can start more handshakes than the server remembers. What it remembers stays bounded, and
// a client that answers promptly gets in.
func TestFloodOfValidRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := serve(t, memnet.Options{Queue: 1 << 20}, 4, nil)
		defer f.server.Stop()
		for n := range uint64(3 * minPending) {
			conn, err := f.network.Dial(clientAddr(1000+int(n)), testServer)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = conn.Write(f.token(spec(1000 + n)).appendRequestTo(nil))
			conn.Close()
			if n%500 == 499 {
				time.Sleep(100 * time.Millisecond)
			}
		}
		time.Sleep(100 * time.Millisecond)
		if got := f.server.Stats(); got.Pending != minPending || got.Handshakes != 3*minPending {
			t.Errorf("%d handshakes remembered of %d, want %d", got.Pending, got.Handshakes, minPending)
		}
		f.connected(1)
		time.Sleep(10 * time.Second)
		if got := f.server.Stats().Pending; got != 0 {
			t.Errorf("%d handshakes remembered after their time", got)
		}
	})
}
