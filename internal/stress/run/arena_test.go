package run

import (
	"context"
	"math"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/memnet"
	"github.com/rushgate/rushgate/netcode"
	"github.com/rushgate/rushgate/protocol"
)

var arenaAddr = netip.MustParseAddrPort("10.0.0.1:40000")

// arena is a fake server with a world behind it, in which players move as they want at 8 units per second.
type arena struct {
	fake
	t       *testing.T
	network *memnet.Network
	channel *netcode.Server
	ticking sync.WaitGroup
	quit    chan struct{}

	// message, if set, may replace the snapshot of a player at a tick; nil sends nothing.
	message func(player uint64, tick uint32, snapshot []byte) []byte

	guard   sync.Mutex
	dialled uint16
	walkers map[*netcode.Peer]*walker
	intents map[uint64][]received
}

type walker struct {
	x, y   float64
	intent protocol.Intent
}

type received struct {
	at time.Time
	protocol.Intent
}

// open starts an arena with so many slots, and returns a configuration to play in it. shut must be called within the
// bubble.
func (a *arena) open(t *testing.T, slots int) Config {
	t.Helper()
	a.t, a.network, a.quit = t, memnet.New(memnet.Options{Delay: 10 * time.Millisecond}), make(chan struct{})
	a.walkers, a.intents = map[*netcode.Peer]*walker{}, map[uint64][]received{}
	if a.knock == nil {
		a.knock = func(w http.ResponseWriter, _ *http.Request, name string, _ int) { a.admit(w, name, 0) }
	}
	key := netcode.Key{5}
	a.connect = func(player string) []byte { return a.token(player, &key) }
	conn, err := memnet.Listen[netcode.Message](a.network, arenaAddr)
	if err != nil {
		t.Fatal(err)
	}
	a.channel, err = netcode.NewServer(netcode.ServerConfig{
		Conn: conn, ProtocolID: protocol.ID, Keys: []netcode.Key{key}, Addresses: []netip.AddrPort{arenaAddr},
		MaxClients: slots,
	})
	if err != nil {
		t.Fatal(err)
	}
	a.channel.Start(a)
	a.ticking.Go(a.tick)
	cfg := a.start(t)
	cfg.Play, cfg.random = true, nil
	cfg.dialUDP = func(_ context.Context, server netip.AddrPort) (net.Conn, error) {
		a.guard.Lock()
		a.dialled++
		from := netip.AddrPortFrom(netip.MustParseAddr("10.0.0.2"), 1000+a.dialled)
		a.guard.Unlock()
		return a.network.Dial(from, server)
	}
	return cfg
}

// token returns a connect token, and ends the connection that the player has.
func (a *arena) token(player string, key *netcode.Key) []byte {
	id, err := strconv.ParseUint(player, 10, 64)
	if err != nil {
		a.t.Error(err)
	}
	a.guard.Lock()
	for p := range a.walkers {
		if p.ClientID() == id {
			p.Disconnect()
		}
	}
	a.guard.Unlock()
	b, err := netcode.NewConnectToken(netcode.TokenSpec{
		ProtocolID: protocol.ID, ClientID: id, CreatedAt: time.Now(), ExpiresAt: time.Now().Add(30 * time.Second),
		Timeout: 10 * time.Second, Addresses: []netip.AddrPort{arenaAddr},
	}, key, nil)
	if err != nil {
		a.t.Error(err)
	}
	return b
}

func (a *arena) shut() {
	close(a.quit)
	a.ticking.Wait()
	a.channel.Stop()
}

func (a *arena) tick() {
	const step = rushgate.TickRate / defaultSnapshotRate
	ticker := time.NewTicker(step * rushgate.TickInterval)
	defer ticker.Stop()
	batch := a.channel.NewBatch()
	var encoder protocol.Encoder
	for tick := uint32(step); ; tick += step {
		select {
		case <-ticker.C:
		case <-a.quit:
			return
		}
		a.guard.Lock()
		for p, w := range a.walkers {
			w.x += float64(w.intent.MoveX) * 8 / defaultSnapshotRate
			w.y += float64(w.intent.MoveY) * 8 / defaultSnapshotRate
			own := protocol.Own{Zone: 1, X: protocol.Fixed(w.x), Y: protocol.Fixed(w.y), HP: 10, MaxHP: 10}
			encoder.Begin(protocol.Header{Tick: tick, Intent: w.intent.Seq, Own: own}, nil)
			m := encoder.Bytes()
			if a.message != nil {
				m = a.message(p.ClientID(), tick, m)
			}
			if m != nil {
				_ = batch.Add(p, m) // a peer that has gone
			}
		}
		a.guard.Unlock()
		if err := batch.Flush(); err != nil {
			a.t.Error(err)
		}
	}
}

func (a *arena) Connected(p *netcode.Peer) {
	a.guard.Lock()
	defer a.guard.Unlock()
	a.walkers[p] = &walker{}
}

func (a *arena) Received(p *netcode.Peer, payload []byte) {
	in, err := protocol.ParseIntent(payload)
	if err != nil {
		a.t.Error(err)
	}
	if d := math.Hypot(float64(in.MoveX), float64(in.MoveY)); math.Abs(d-1) > 0.001 && d != 0 {
		a.t.Errorf("a direction of length %v", d)
	}
	a.guard.Lock()
	defer a.guard.Unlock()
	a.walkers[p].intent = in
	a.intents[p.ClientID()] = append(a.intents[p.ClientID()], received{time.Now(), in})
}

func (a *arena) Disconnected(p *netcode.Peer, _ error) {
	a.guard.Lock()
	defer a.guard.Unlock()
	delete(a.walkers, p)
}
