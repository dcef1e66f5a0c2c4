package netcode

import (
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/internal/memnet"
)

func TestNewServerChecksItsConfiguration(t *testing.T) {
	conn, err := memnet.Listen[Message](memnet.New(memnet.Options{}), testServer)
	if err != nil {
		t.Fatal(err)
	}
	good := ServerConfig{Conn: conn, Keys: []Key{testKey}, Addresses: []netip.AddrPort{testServer}, MaxClients: 1}
	for name, spoil := range map[string]func(*ServerConfig){
		"no conn":             func(c *ServerConfig) { c.Conn = nil },
		"no key":              func(c *ServerConfig) { c.Keys = nil },
		"key of zeros":        func(c *ServerConfig) { c.Keys = []Key{testKey, {}} },
		"no address":          func(c *ServerConfig) { c.Addresses = nil },
		"invalid address":     func(c *ServerConfig) { c.Addresses = []netip.AddrPort{{}} },
		"unspecified address": func(c *ServerConfig) { c.Addresses = []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:1")} },
		"port 0": func(
			c *ServerConfig) {
			c.Addresses = []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:0")}
		},
		"no slots":        func(c *ServerConfig) { c.MaxClients = 0 },
		"too many slots":  func(c *ServerConfig) { c.MaxClients = maxClients + 1 },
		"no random bytes": func(c *ServerConfig) { c.Rand = failingReader{} },
	} {
		cfg := good
		spoil(&cfg)
		if _, err := NewServer(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	s, err := NewServer(good)
	if err != nil {
		t.Fatal(err)
	}
	s.Stop()
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errors.New("no randomness today") }

func TestStopWithoutStartClosesTheConn(t *testing.T) {
	network := memnet.New(memnet.Options{})
	conn, err := memnet.Listen[Message](network, testServer)
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewServer(ServerConfig{
		Conn: conn, Keys: []Key{testKey}, Addresses: []netip.AddrPort{testServer}, MaxClients: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Stop()
	s.Stop()
	s.Start(newRecorder()) // too late: must not read a closed Conn
	if _, err := memnet.Listen[Message](network, testServer); err != nil {
		t.Errorf("the address is still taken: %v", err)
	}
}

func TestStartAndStopManyTimesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 20 {
			f := serve(t, memnet.Options{}, 1, nil)
			go f.server.Start(f.events)
			for range 3 {
				go f.server.Stop()
			}
			go f.server.Start(f.events)
			f.server.Stop()
			synctest.Wait()
		}
	})
}

func TestStopSaysGoodbyeTenTimesToEveryClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := serve(t, memnet.Options{}, 3, nil)
		clients := []*wireClient{f.connected(1), f.connected(2), f.connected(3)}
		f.server.Stop()
		for i, c := range clients {
			if n := c.drain(time.Second)[packetDisconnect]; n != 10 {
				t.Errorf("client %d got %d disconnect packets, want 10", i+1, n)
			}
			if !f.events.ended(uint64(i+1), ErrServerClosed) {
				t.Errorf("client %d: Disconnected was not called once with ErrServerClosed", i+1)
			}
		}
		if got := f.server.Stats().Clients; got != 0 {
			t.Errorf("%d clients after Stop", got)
		}
	})
}

func TestServerEndsWhenItsConnIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var conn Conn
		f := serve(t, memnet.Options{}, 1, func(c *ServerConfig) { conn = c.Conn })
		f.connected(1)
		conn.Close()
		<-f.server.done
		if !f.events.ended(1, ErrServerClosed) {
			t.Error("the client was not disconnected")
		}
		f.server.Stop()
	})
}

func TestStopWaitsForABlockedHandlerAndThenEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := serve(t, memnet.Options{}, 1, nil)
		release := make(chan struct{})
		f.events.onReceived = func(*Peer, []byte) { <-release }
		c := f.connected(1)
		c.payload("block")
		time.Sleep(time.Second)
		stopped := make(chan struct{})
		go func() { f.server.Stop(); close(stopped) }()
		time.Sleep(time.Minute)
		select {
		case <-stopped:
			t.Error("Stop returned while the Handler was at work")
		default:
		}
		close(release)
		<-stopped
		if f.events.got(1, "block") != 1 || !f.events.ended(1, ErrServerClosed) {
			t.Error("payload or end of the connection is missing")
		}
	})
}

// A slot that has been used comes before one that never was.
func TestSlotsStayDense(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := serve(t, memnet.Options{}, 8, nil)
		defer f.server.Stop()
		for n := range 3 {
			f.connected(n)
		}
		f.events.peer(1).Disconnect()
		eventually(t, "the client has left", func() bool { return f.events.connected() == 2 })
		f.connected(3)
		if got := f.events.peer(3).Index(); got != 1 {
			t.Errorf("slot %d, want 1 again", got)
		}
	})
}
