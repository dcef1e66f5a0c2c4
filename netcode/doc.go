// Package netcode implements netcode 1.02, the open standard for encrypted connections of game clients to game servers
// over UDP (github.com/mas-bandwidth/netcode, STANDARD.md). Its bytes are those of the reference implementation, so
// clients and servers written in other languages can be at the other end. A server holds thousands of clients.
//
// The protocol authenticates, encrypts, and protects against replay, forged addresses, and use as an amplifier. It
// does not retransmit, order, or split: a payload is 1 to [MaxPayload] bytes and arrives once or not at all.
//
// # Tokens
//
// The service that logs players in, typically on the web, and the game servers share a private [Key]. The login answers
// with a connect token, which allows one player to connect to one of the servers it names, for a short time:
//
//	token, err := netcode.NewConnectToken(netcode.TokenSpec{
//		ProtocolID: 0x47414d4501,
//		ClientID:   playerID,
//		CreatedAt:  now,
//		ExpiresAt:  now.Add(45 * time.Second),
//		Timeout:    10 * time.Second,
//		Addresses:  []netip.AddrPort{publicAddress},
//	}, &key, nil)
//
// A token is a credential: send it over HTTPS only, and do not log it. The types of this package that hold secrets hide
// them when they are printed; what that means for types that contain them, see [Key].
//
// # Nonces
//
// The packet keys of a connection are those of its token, and every server numbers what it seals under them from the
// same two numbers on, which the standard fixes. A [Server] therefore lets a token lead to one connection only. It
// cannot know of connections elsewhere: a token that names several servers and is presented to more than one of them,
// as [Dial] does when the first does not answer at once, or that is presented again after a restart of its server, has
// its numbers used twice under one key. An eavesdropper who has recorded both then learns the difference of the packets
// of equal number, and enough to forge packets; what the client sent to one may be replayed to the other. Name one
// server in each token, with all its addresses, and let tokens live for seconds rather than minutes. A new private key
// at every start of a server rules out the second case.
//
// # Server
//
// A [Server] reads from a [Conn], as a rule a [UDPConn], and calls a [Handler] from one goroutine, so the handler's
// state needs no lock as long as no other goroutine uses it. Each connected client is a [Peer]:
//
//	conn, err := netcode.ListenUDP(":40000", netcode.UDPOptions{})
//	…
//	server, err := netcode.NewServer(netcode.ServerConfig{
//		Conn:       conn,
//		ProtocolID: 0x47414d4501,
//		Keys:       []netcode.Key{key},
//		Addresses:  []netip.AddrPort{publicAddress},
//		MaxClients: 2000,
//	})
//	…
//	server.Start(handler)
//	defer server.Stop()
//
// On Linux a [UDPConn] for every address of a machine answers clients from the address they wrote to. On other systems,
// listen on the public address itself if there are several.
//
// A client id has one connection at a time. With ServerConfig.Replace a client whose network has changed need not wait
// until the server has noticed: it connects anew with another token, and only then does the old connection end.
//
// With ServerConfig.Other a protocol of the application's own shares the port: one for clients that have no connect
// token yet, for example.
//
// # Moving to another process
//
// A server can be replaced by one in another process while clients are connected, without their noticing more than a
// moment of silence: [Server.Pause] and [Server.State] in one process, [ServerConfig].State in the other, which has to
// have the same socket. On unix systems a socket is passed on as a file descriptor. The example shows the order.
//
// # Batch
//
// Payloads to clients go out through a [Batch], which seals them at once and sends many with one system call. Each
// sending goroutine has its own:
//
//	batch := server.NewBatch()
//	for tick := range ticks {
//		for _, peer := range players {
//			_ = batch.Add(peer, snapshot(tick, peer)) // fails for a peer that has just left
//		}
//		_ = batch.Flush()
//	}
//
// # Client
//
// [Dial] tries the server addresses of a token side by side, beginning with another one every 250 ms. A [Client] has no
// goroutine of its own: [Client.Read] also keeps the connection alive, so it is to be called all the time.
//
//	client, err := netcode.Dial(ctx, token, netcode.ClientOptions{})
//	…
//	defer client.Close()
//	buf := make([]byte, netcode.MaxPayload)
//	for {
//		n, err := client.Read(buf)
//		if err != nil {
//			return err // a StateError says why the connection ended
//		}
//		handle(buf[:n])
//	}
//
// # Clocks
//
// Servers compare the expiry of a token with their own clock and need one that agrees with the issuer's within a
// second or so. Clients use only the difference between creation and expiry, since clocks of players are often wrong.
//
// # Stability
//
// This package follows semantic versioning: until v1.0.0 a minor version may change exported names, a patch version
// never, and CHANGELOG.md says which ones did. The bytes are those of the standard's version 1.02 and do not change.
package netcode
