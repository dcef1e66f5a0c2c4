package netcode

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// The vectors in testdata were written by the C reference implementation from these values.
const (
	goldenProtocolID   = 0x1122334455667788
	goldenClientID     = 0x0102030405060708
	goldenTimeout      = 15
	goldenCreated      = 0xAABBCCDD11223300
	goldenExpires      = 0xAABBCCDD11223344
	goldenChallengeSeq = 0xFFEEDDCCBBAA9988
)

var goldenAddresses = []netip.AddrPort{
	netip.MustParseAddrPort("127.0.0.1:40000"),
	netip.MustParseAddrPort("[fe80::202:b3ff:fe1e:8329]:50000"),
	netip.MustParseAddrPort("10.24.93.7:12345"),
}

// pattern fills b with b[i] = i*m + o.
func pattern(b []byte, m, o byte) []byte {
	for i := range b {
		b[i] = byte(i)*m + o
	}
	return b
}

func goldenPacketKey() *Key    { return (*Key)(pattern(make([]byte, 32), 7, 1)) }
func goldenPrivateKey() *Key   { return (*Key)(pattern(make([]byte, 32), 11, 3)) }
func goldenChallengeKey() *Key { return (*Key)(pattern(make([]byte, 32), 13, 5)) }

func goldenNonce() *[tokenNonceSize]byte {
	return (*[tokenNonceSize]byte)(pattern(make([]byte, tokenNonceSize), 17, 9))
}

func goldenPrivateToken() *privateToken {
	t := &privateToken{clientID: goldenClientID, timeout: goldenTimeout, addresses: goldenAddresses}
	pattern(t.clientToServer[:], 3, 1)
	pattern(t.serverToClient[:], 5, 2)
	pattern(t.userData[:], 7, 13)
	return t
}

func goldenConnectToken(tb testing.TB) *ConnectToken {
	private := goldenPrivateToken()
	t := &ConnectToken{
		ProtocolID:     goldenProtocolID,
		CreatedAt:      goldenCreated,
		ExpiresAt:      goldenExpires,
		Addresses:      goldenAddresses,
		ClientToServer: private.clientToServer,
		ServerToClient: private.serverToClient,
		timeout:        goldenTimeout,
		nonce:          *goldenNonce(),
	}
	copy(t.private[:], goldenFile(tb, "connect_token_private_encrypted"))
	return t
}

func goldenFile(tb testing.TB, name string) []byte {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".bin"))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func checkBytes(t *testing.T, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("encoded\n%x\nwant\n%x", got, want)
	}
}

func checkPrivateToken(t *testing.T, got, want *privateToken) {
	t.Helper()
	a, b := *got, *want
	a.plain, a.ad, b.plain, b.ad = [len(a.plain)]byte{}, [len(a.ad)]byte{}, [len(a.plain)]byte{}, [len(a.ad)]byte{}
	if !reflect.DeepEqual(a, b) {
		t.Errorf("private token: got client %x, timeout %d, addresses %v; want %x, %d, %v; or keys or user data differ",
			a.clientID, a.timeout, a.addresses, b.clientID, b.timeout, b.addresses)
	}
}

func TestGoldenPrivateToken(t *testing.T) {
	want := goldenPrivateToken()
	plain, sealed := goldenFile(t, "connect_token_private"), goldenFile(t, "connect_token_private_encrypted")
	checkBytes(t, want.appendTo(nil), plain)
	var got privateToken
	if err := got.parse(plain); err != nil {
		t.Fatal(err)
	}
	checkPrivateToken(t, &got, want)

	out, err := sealPrivateToken([]byte{1}, want, goldenPrivateKey(), goldenProtocolID, goldenExpires, goldenNonce())
	if err != nil {
		t.Fatal(err)
	}
	checkBytes(t, out, append([]byte{1}, sealed...))
	kept := bytes.Clone(sealed)
	got = privateToken{}
	err = openPrivateToken(&got, sealed, goldenPrivateKey(), goldenProtocolID, goldenExpires, goldenNonce())
	if err != nil {
		t.Fatal(err)
	}
	checkPrivateToken(t, &got, want)
	checkBytes(t, sealed, kept)
}

func TestGoldenConnectToken(t *testing.T) {
	want, encoded := goldenConnectToken(t), goldenFile(t, "connect_token")
	checkBytes(t, want.appendTo(nil), encoded)
	got, err := ParseConnectToken(encoded)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v; or their secrets differ", got, want)
	}
}

func TestGoldenChallenge(t *testing.T) {
	want := &challenge{clientID: goldenClientID}
	pattern(want.userData[:], 9, 17)
	plain, sealed := goldenFile(t, "challenge_token"), goldenFile(t, "challenge_token_encrypted")
	checkBytes(t, want.appendTo(nil), plain)
	aead := newAEAD(goldenChallengeKey())
	checkBytes(t, sealChallenge([]byte{1}, aead, goldenChallengeSeq, want), append([]byte{1}, sealed...))
	var got challenge
	if err := openChallenge(&got, sealed, aead, goldenChallengeSeq); err != nil {
		t.Fatal(err)
	}
	if got.clientID != want.clientID || got.userData != want.userData {
		t.Errorf("got client %x, user data %x", got.clientID, got.userData)
	}
}

func TestGoldenRequest(t *testing.T) {
	want := request{expire: goldenExpires, nonce: *goldenNonce(),
		sealed: goldenFile(t, "connect_token_private_encrypted")}
	encoded := goldenFile(t, "packet_connection_request")
	checkBytes(t, appendRequest(nil, goldenProtocolID, &want), encoded)
	fromToken := goldenConnectToken(t).request()
	checkBytes(t, appendRequest(nil, goldenProtocolID, &fromToken), encoded)
	got, err := parseRequest(encoded, goldenProtocolID)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// goldenPackets are the encrypted ones, with the data that their fields encode to.
var goldenPackets = []struct {
	file string
	t    packetType
	seq  uint64
	data func(testing.TB) []byte
}{
	{"packet_connection_denied", packetDenied, 0x11, func(testing.TB) []byte { return nil }},
	{"packet_connection_challenge", packetChallenge, 0x2233, goldenChallengePacket},
	{"packet_connection_response", packetResponse, 0x334455, goldenChallengePacket},
	{"packet_connection_keep_alive", packetKeepAlive, 0x44556677, func(testing.TB) []byte {
		return appendKeepAlive(nil, keepAlive{index: 10, maxClients: 16})
	}},
	{"packet_connection_payload", packetPayload, 0x123456789ABCDEF0, func(testing.TB) []byte {
		return pattern(make([]byte, MaxPayload), 23, 11)
	}},
	{"packet_connection_disconnect", packetDisconnect, 0x556677889900, func(testing.TB) []byte { return nil }},
}

func goldenChallengePacket(tb testing.TB) []byte {
	c := challengePacket{seq: goldenChallengeSeq}
	copy(c.token[:], goldenFile(tb, "challenge_token_encrypted"))
	return appendChallengePacket(nil, &c)
}

func TestGoldenPackets(t *testing.T) {
	for _, g := range goldenPackets {
		t.Run(g.file, func(t *testing.T) {
			encoded, want := goldenFile(t, g.file), g.data(t)
			var sc scratch
			aead := newAEAD(goldenPacketKey())
			checkBytes(t, sealPacket([]byte{1}, &sc, aead, goldenProtocolID, g.t, g.seq, want),
				append([]byte{1}, encoded...))

			typ, seq, data, err := openPacket(encoded, &sc, aead, goldenProtocolID, new(replayWindow))
			if err != nil || typ != g.t || seq != g.seq || !bytes.Equal(data, want) {
				t.Fatalf("opened type %d, sequence %#x, data %x, error %v", typ, seq, data, err)
			}
			switch typ {
			case packetChallenge, packetResponse:
				var c challengePacket
				parseChallengePacket(&c, data)
				checkBytes(t, c.token[:], goldenFile(t, "challenge_token_encrypted"))
				if c.seq != goldenChallengeSeq {
					t.Errorf("challenge sequence %#x", c.seq)
				}
			case packetKeepAlive:
				if k := parseKeepAlive(data); k != (keepAlive{index: 10, maxClients: 16}) {
					t.Errorf("keep-alive %+v", k)
				}
			}
		})
	}
}
