package netcode

import (
	"bytes"
	"testing"
	"time"
)

// checkAllocs fails if f allocates more than want times per call.
func checkAllocs(t *testing.T, name string, want float64, f func()) {
	t.Helper()
	if got := testing.AllocsPerRun(100, f); got > want {
		t.Errorf("%s allocates %v times, want %v", name, got, want)
	}
}

func TestPacketAllocations(t *testing.T) {
	var sc scratch
	var w replayWindow
	aead := newAEAD(goldenPacketKey())
	payload := pattern(make([]byte, MaxPayload), 3, 1)
	buf := make([]byte, 0, maxPacket)
	seq := uint64(0)
	var p []byte
	checkAllocs(t, "sealPacket", 0, func() {
		seq++
		p = sealPacket(buf, &sc, aead, goldenProtocolID, packetPayload, seq, payload)
	})
	checkAllocs(t, "sealPacket and openPacket", 0, func() {
		seq++
		p = sealPacket(buf, &sc, aead, goldenProtocolID, packetPayload, seq, payload)
		if _, _, _, err := openPacket(p, &sc, aead, goldenProtocolID, &w); err != nil {
			t.Fatal(err)
		}
	})
	forged := bytes.Clone(goldenFile(t, "packet_connection_payload"))
	checkAllocs(t, "openPacket of a forged packet", 0, func() {
		if _, _, _, err := openPacket(forged, &sc, aead, 1, &w); err == nil {
			t.Fatal("opened")
		}
	})
}

func TestHandshakeAllocations(t *testing.T) {
	packet := goldenFile(t, "packet_connection_request")
	wrong := append(bytes.Clone(packet[:requestSize-1]), packet[requestSize-1]^1)
	key := goldenPrivateKey()
	dst := privateToken{addresses: goldenAddresses[:0:0]}
	r, err := parseRequest(packet, goldenProtocolID)
	if err != nil {
		t.Fatal(err)
	}
	checkAllocs(t, "parseRequest", 0, func() {
		if _, err := parseRequest(packet, goldenProtocolID); err != nil {
			t.Fatal(err)
		}
		if _, err := parseRequest(packet, 1); err == nil {
			t.Fatal("parsed with another protocol id")
		}
	})
	// Two: the cipher of the key, and inside it the cipher of the key and nonce.
	checkAllocs(t, "openPrivateToken", 2, func() {
		if err := openPrivateToken(&dst, r.sealed, key, goldenProtocolID, r.expire, &r.nonce); err != nil {
			t.Fatal(err)
		}
	})
	forged, err := parseRequest(wrong, goldenProtocolID)
	if err != nil {
		t.Fatal(err)
	}
	checkAllocs(t, "openPrivateToken of a forged token", 2, func() {
		if openPrivateToken(&dst, forged.sealed, key, goldenProtocolID, forged.expire, &forged.nonce) == nil {
			t.Fatal("opened")
		}
	})
	c := &challenge{clientID: 1}
	aead := newAEAD(goldenChallengeKey())
	buf := make([]byte, 0, challengeSize)
	checkAllocs(t, "challenge", 0, func() {
		if err := openChallenge(c, sealChallenge(buf, aead, 7, c), aead, 7); err != nil {
			t.Fatal(err)
		}
	})
}

func BenchmarkSealPacket(b *testing.B) {
	for name, size := range map[string]int{"64": 64, "1200": MaxPayload} {
		b.Run(name, func(b *testing.B) {
			var sc scratch
			aead, data := newAEAD(goldenPacketKey()), make([]byte, size)
			buf := make([]byte, 0, maxPacket)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for seq := uint64(0); b.Loop(); seq++ {
				sealPacket(buf, &sc, aead, goldenProtocolID, packetPayload, seq, data)
			}
		})
	}
}

func BenchmarkOpenPacket(b *testing.B) {
	for name, size := range map[string]int{"64": 64, "1200": MaxPayload} {
		b.Run(name, func(b *testing.B) {
			var sc scratch
			aead := newAEAD(goldenPacketKey())
			p := sealPacket(nil, &sc, aead, goldenProtocolID, packetPayload, 1<<20, make([]byte, size))
			buf := make([]byte, len(p))
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				copy(buf, p)
				if _, _, _, err := openPacket(buf, &sc, aead, goldenProtocolID, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkOpenPrivateToken(b *testing.B) {
	r, err := parseRequest(goldenFile(b, "packet_connection_request"), goldenProtocolID)
	if err != nil {
		b.Fatal(err)
	}
	var dst privateToken
	b.ReportAllocs()
	for b.Loop() {
		if err := openGolden(&dst, r.sealed); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReplayWindow(b *testing.B) {
	var w replayWindow
	for seq := uint64(0); b.Loop(); seq++ {
		if !w.seen(seq) {
			w.advance(seq)
		}
	}
}

const udpBatch = 32

// A batch of 32 datagrams of 100 bytes is sent and received over loopback.
func BenchmarkUDPBatch(b *testing.B) {
	from, to := listenUDP(b, "127.0.0.1:0"), listenUDP(b, "127.0.0.1:0")
	out, in := messages(udpBatch, 100), messages(udpBatch, 1500)
	for i := range out {
		out[i].N, out[i].Addr = 100, to.LocalAddr()
	}
	b.ReportAllocs()
	for b.Loop() {
		if n, err := from.WriteBatch(out); n != udpBatch || err != nil {
			b.Fatalf("sent %d, error %v", n, err)
		}
		for got := 0; got < udpBatch; {
			n, err := to.ReadBatch(in, time.Now().Add(time.Minute))
			if err != nil {
				b.Fatal(err)
			}
			got += n
		}
	}
}

// The same with the standard library, one system call for each datagram.
func BenchmarkUDPOneByOne(b *testing.B) {
	from, to := listenUDP(b, "127.0.0.1:0"), listenUDP(b, "127.0.0.1:0")
	out, in := make([]byte, 100), make([]byte, 1500)
	b.ReportAllocs()
	for b.Loop() {
		for range udpBatch {
			if _, err := from.conn.WriteToUDPAddrPort(out, to.LocalAddr()); err != nil {
				b.Fatal(err)
			}
		}
		for range udpBatch {
			if _, _, err := to.conn.ReadFromUDPAddrPort(in); err != nil {
				b.Fatal(err)
			}
		}
	}
}
