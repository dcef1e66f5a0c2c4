package netcode

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"testing"
)

// sealRaw returns a packet under the golden key whose header and data are as given, however wrong.
func sealRaw(prefix byte, sequence []byte, data []byte) []byte {
	var sc scratch
	var seq uint64
	for i, b := range sequence {
		seq |= uint64(b) << (8 * i)
	}
	p := append([]byte{prefix}, sequence...)
	return newAEAD(goldenPacketKey()).Seal(p, sc.nonceFor(seq), data, sc.associatedData(goldenProtocolID, prefix))
}

func openGoldenPacket(p []byte, w *replayWindow) (packetType, uint64, []byte, error) {
	return openPacket(p, new(scratch), newAEAD(goldenPacketKey()), goldenProtocolID, w)
}

// TestOpenPacketRefuses goes through the list of the standard. All packets but one are authentic, so that nothing but
// the check in question can be what refuses them.
func TestOpenPacketRefuses(t *testing.T) {
	data := func(n int) []byte { return make([]byte, n) }
	tests := []struct {
		name   string
		packet []byte
		want   error
	}{
		{"empty", nil, errMalformed},
		{"17 bytes", make([]byte, 17), errMalformed},
		{"header longer than packet", sealRaw(0x20|6, []byte{1}, nil), errMalformed},
		{"8 sequence bytes in 24", sealRaw(0x80|6, data(8), nil)[:24], errMalformed},
		{"request", sealRaw(0x10, []byte{1}, nil), errMalformed},
		{"type 7", sealRaw(0x10|7, []byte{1}, nil), errMalformed},
		{"type 15", sealRaw(0x10|15, []byte{1}, nil), errMalformed},
		{"0 sequence bytes", sealRaw(0x00|5, nil, data(8)), errMalformed},
		{"9 sequence bytes", sealRaw(0x90|5, data(9), data(8)), errMalformed},
		{"15 sequence bytes", sealRaw(0xF0|5, data(15), data(8)), errMalformed},
		{"denied with data", sealRaw(0x10|1, []byte{1}, data(1)), errMalformed},
		{"challenge of 307", sealRaw(0x10|2, []byte{1}, data(307)), errMalformed},
		{"challenge of 309", sealRaw(0x10|2, []byte{1}, data(309)), errMalformed},
		{"response of 307", sealRaw(0x10|3, []byte{1}, data(307)), errMalformed},
		{"response of 309", sealRaw(0x10|3, []byte{1}, data(309)), errMalformed},
		{"keep-alive of 7", sealRaw(0x10|4, []byte{1}, data(7)), errMalformed},
		{"keep-alive of 9", sealRaw(0x10|4, []byte{1}, data(9)), errMalformed},
		{"payload of 0", sealRaw(0x10|5, []byte{1}, nil), errMalformed},
		{"payload of 1201", sealRaw(0x10|5, []byte{1}, data(MaxPayload+1)), errMalformed},
		{"disconnect with data", sealRaw(0x10|6, []byte{1}, data(1)), errMalformed},
		{"not authentic", append(sealRaw(0x10|5, []byte{1}, data(8)), 0), errNotAuthentic},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, _, _, err := openGoldenPacket(tt.packet, nil); !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
		})
	}
	for _, tt := range tests[:10] { // of these the header alone shows that decrypting would be in vain
		if _, _, _, ok := packetHeader(tt.packet); ok {
			t.Errorf("%s: header accepted", tt.name)
		}
	}
	for _, n := range []int{1, 2, MaxPayload - 1, MaxPayload} {
		if _, _, got, err := openGoldenPacket(sealRaw(0x10|5, []byte{1}, data(n)), nil); err != nil || len(got) != n {
			t.Errorf("payload of %d: got %d bytes, error %v", n, len(got), err)
		}
	}
}

func TestOpenPacketTampered(t *testing.T) {
	for _, g := range goldenPackets {
		t.Run(g.file, func(t *testing.T) {
			good := goldenFile(t, g.file)
			opens := func(p []byte) bool {
				_, _, _, err := openGoldenPacket(bytes.Clone(p), nil)
				return err == nil
			}
			for i := range good {
				for bit := range 8 {
					bad := bytes.Clone(good)
					bad[i] ^= 1 << bit
					if opens(bad) {
						t.Fatalf("opened with byte %d bit %d flipped", i, bit)
					}
				}
			}
			for n := range good {
				if opens(good[:n]) {
					t.Fatalf("opened the first %d bytes", n)
				}
			}
			key := *goldenPacketKey()
			key[7] ^= 0x80
			_, _, _, errKey := openPacket(bytes.Clone(good), new(scratch), newAEAD(&key), goldenProtocolID, nil)
			_, _, _, errID := openPacket(bytes.Clone(good), new(scratch), newAEAD(goldenPacketKey()), 1, nil)
			if !errors.Is(errKey, errNotAuthentic) || !errors.Is(errID, errNotAuthentic) || !opens(good) {
				t.Errorf("another key: %v; another protocol id: %v; unchanged: %t", errKey, errID, opens(good))
			}
		})
	}
}

// Sequence numbers take as few bytes as the standard says, and longer forms are understood.
func TestPacketSequenceSizes(t *testing.T) {
	for _, tt := range []struct {
		seq  uint64
		size int
	}{
		{0, 1}, {1, 1}, {255, 1}, {256, 2}, {1000, 2}, {1<<16 - 1, 2}, {1 << 16, 3}, {1 << 24, 4}, {1 << 32, 5},
		{1 << 40, 6}, {1 << 48, 7}, {1<<56 - 1, 7}, {1 << 56, 8}, {1 << 63, 8}, {math.MaxUint64, 8},
	} {
		p := sealPacket(nil, new(scratch), newAEAD(goldenPacketKey()), goldenProtocolID, packetPayload, tt.seq, []byte{42})
		typ, seq, n, ok := packetHeader(p)
		if !ok || typ != packetPayload || seq != tt.seq || n != 1+tt.size || len(p) != n+1+tagSize {
			t.Errorf("%d: header %d, %d, %d, %t in %d bytes", tt.seq, typ, seq, n, ok, len(p))
		}
		if _, seq, data, err := openGoldenPacket(p, nil); err != nil || seq != tt.seq || !bytes.Equal(data, []byte{42}) {
			t.Errorf("%d: opened as %d, %v, %v", tt.seq, seq, data, err)
		}
	}
	_, seq, _, err := openGoldenPacket(sealRaw(0x80|6, []byte{5, 0, 0, 0, 0, 0, 0, 0}, nil), nil)
	if err != nil || seq != 5 {
		t.Errorf("5 in eight bytes: %d, error %v", seq, err)
	}
}

// Only keep-alive, payload and disconnect packets are protected against replay.
func TestOpenPacketReplay(t *testing.T) {
	for _, g := range goldenPackets {
		var w replayWindow
		good := goldenFile(t, g.file)
		if _, _, _, err := openGoldenPacket(bytes.Clone(good), &w); err != nil {
			t.Fatal(err)
		}
		_, _, _, err := openGoldenPacket(bytes.Clone(good), &w)
		if protected := g.t >= packetKeepAlive; protected != errors.Is(err, errReplayed) || !protected && err != nil {
			t.Errorf("type %d again: error %v", g.t, err)
		}
		if g.t < packetKeepAlive && w != (replayWindow{}) {
			t.Errorf("type %d moved the replay window", g.t)
		}
	}
}

// A packet that does not decrypt leaves the window alone; one that does but has a wrong size is remembered.
func TestReplayAdvancesWhenAuthentic(t *testing.T) {
	var w replayWindow
	for _, typ := range []byte{4, 5, 6} {
		forged := sealRaw(0x80|typ, bytes.Repeat([]byte{0xFF}, 8), make([]byte, 8))
		forged[len(forged)-1] ^= 1
		if _, _, _, err := openGoldenPacket(forged, &w); !errors.Is(err, errNotAuthentic) || w != (replayWindow{}) {
			t.Fatalf("forged packet of type %d: error %v, window %+v", typ, err, w)
		}
	}
	for i, typ := range []byte{4, 5, 6} {
		n := map[byte]int{4: 9, 5: 0, 6: 1}[typ]
		p := sealRaw(0x10|typ, []byte{byte(i)}, make([]byte, n))
		_, _, _, first := openGoldenPacket(bytes.Clone(p), &w)
		_, _, _, second := openGoldenPacket(bytes.Clone(p), &w)
		if !errors.Is(first, errMalformed) || !errors.Is(second, errReplayed) {
			t.Errorf("type %d of a wrong size: errors %v, then %v", typ, first, second)
		}
	}
}

func TestParseRequestRefuses(t *testing.T) {
	good := goldenFile(t, "packet_connection_request")
	for n := range good {
		if _, err := parseRequest(good[:n], goldenProtocolID); !errors.Is(err, errMalformed) {
			t.Fatalf("first %d bytes: error %v", n, err)
		}
	}
	if _, err := parseRequest(append(bytes.Clone(good), 0), goldenProtocolID); !errors.Is(err, errMalformed) {
		t.Errorf("a byte too many: error %v", err)
	}
	if _, err := parseRequest(good, goldenProtocolID+1); !errors.Is(err, errProtocol) {
		t.Errorf("another protocol id: error %v", err)
	}
	for i := range 1 + len(versionInfo) + 8 { // what parseRequest checks; the rest is for the cipher
		bad := bytes.Clone(good)
		bad[i] ^= 1
		want := errProtocol
		if i == 0 {
			want = errMalformed
		}
		if _, err := parseRequest(bad, goldenProtocolID); !errors.Is(err, want) {
			t.Errorf("byte %d changed: error %v, want %v", i, err, want)
		}
	}
}

func TestPacketSizes(t *testing.T) {
	var sc scratch
	largest := sealPacket(nil, &sc, newAEAD(goldenPacketKey()), 1, packetPayload, math.MaxUint64, make([]byte, MaxPayload))
	smallest := sealPacket(nil, &sc, newAEAD(goldenPacketKey()), 1, packetDenied, 0, nil)
	got := fmt.Sprint(len(largest), maxPacket, len(smallest), minPacket, requestSize)
	if got != "1225 1225 18 18 1078" {
		t.Errorf("sizes %s", got)
	}
}
