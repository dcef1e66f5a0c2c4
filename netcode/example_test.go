package netcode_test

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/rushgate/rushgate/netcode"
)

// shout is a game: the server answers what a client says, in capitals. It is called from one goroutine only.
type shout struct{ batch *netcode.Batch }

func (s *shout) Connected(p *netcode.Peer) {}

func (s *shout) Received(p *netcode.Peer, payload []byte) {
	_ = s.batch.Add(p, bytes.ToUpper(payload)) // fails for a peer that has just left
	_ = s.batch.Flush()                        // fails when the server is being stopped
}

func (s *shout) Disconnected(p *netcode.Peer, why error) {}

// A server, a token as the service that logs players in makes it, and the client that holds it.
func Example() {
	ctx := context.Background()
	key, err := netcode.NewKey(nil)
	if err != nil {
		fmt.Println(err)
		return
	}

	// The server has the key, and a socket.
	conn, err := netcode.ListenUDP("127.0.0.1:0", netcode.UDPOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	const game = 0x47414d4501 // tells this game and its version from others
	server, err := netcode.NewServer(netcode.ServerConfig{
		Conn: conn, ProtocolID: game, Keys: []netcode.Key{key},
		Addresses: []netip.AddrPort{conn.LocalAddr()}, MaxClients: 100,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	server.Start(&shout{batch: server.NewBatch()})
	defer server.Stop()

	// The service that logs players in has the key too, and gives each a token over HTTPS.
	now := time.Now()
	token, err := netcode.NewConnectToken(netcode.TokenSpec{
		ProtocolID: game, ClientID: 7, CreatedAt: now, ExpiresAt: now.Add(30 * time.Second),
		Timeout: 10 * time.Second, Addresses: []netip.AddrPort{conn.LocalAddr()},
	}, &key, nil)
	if err != nil {
		fmt.Println(err)
		return
	}

	// The client has nothing but the token.
	client, err := netcode.Dial(ctx, token, netcode.ClientOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	if err := client.Write([]byte("hello")); err != nil {
		fmt.Println(err)
		return
	}
	buf := make([]byte, netcode.MaxPayload)
	n, err := client.Read(buf)
	fmt.Printf("%s %v\n", buf[:n], err)
	// Output: HELLO <nil>
}

// passed is a socket that stays open when the server that has it is stopped, as one does of which another process has a
// descriptor too.
type passed struct{ netcode.Conn }

func (passed) Close() error { return nil }

// Moving a server to another process, with the clients connected. Here both are in one process; in two, the state goes
// over a pipe that others cannot read, and the socket as a file descriptor.
func ExampleServer_State() {
	conn, err := netcode.ListenUDP("127.0.0.1:0", netcode.UDPOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	key, err := netcode.NewKey(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	config := netcode.ServerConfig{
		Conn: passed{conn}, ProtocolID: 0x47414d4501, Keys: []netcode.Key{key},
		Addresses: []netip.AddrPort{conn.LocalAddr()}, MaxClients: 100,
	}
	before, err := netcode.NewServer(config)
	if err != nil {
		fmt.Println(err)
		return
	}
	before.Start(&shout{batch: before.NewBatch()})
	now := time.Now()
	token, err := netcode.NewConnectToken(netcode.TokenSpec{
		ProtocolID: config.ProtocolID, ClientID: 7, CreatedAt: now, ExpiresAt: now.Add(30 * time.Second),
		Timeout: 10 * time.Second, Addresses: config.Addresses,
	}, &key, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := netcode.Dial(context.Background(), token, netcode.ClientOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	// The one process stands still and writes down what it knows.
	before.Pause()
	state, err := before.State()
	if err != nil {
		fmt.Println(err)
		return
	}

	// The other makes a server of it. If it cannot, the first one goes on with Resume.
	config.State = state
	after, err := netcode.NewServer(config)
	if err != nil {
		before.Resume()
		fmt.Println(err)
		return
	}
	before.Stop() // which tells the clients nothing
	after.Start(&shout{batch: after.NewBatch()})
	defer after.Stop()

	if err := client.Write([]byte("still there?")); err != nil {
		fmt.Println(err)
		return
	}
	buf := make([]byte, netcode.MaxPayload)
	n, err := client.Read(buf)
	fmt.Printf("%s %v\n", buf[:n], err)
	// Output: STILL THERE? <nil>
}
