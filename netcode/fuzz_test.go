package netcode

import (
	"bytes"
	"reflect"
	"testing"
)

// isZero reports whether b is all padding.
func isZero(b []byte) bool { return len(bytes.Trim(b, "\x00")) == 0 }

// A token that parses encodes to the bytes it came from, but for what the issuer put into the padding.
func FuzzConnectToken(f *testing.F) {
	f.Add(goldenFile(f, "connect_token"))
	full := goldenConnectToken(f)
	full.Addresses = manyAddresses(MaxAddresses)
	f.Add(full.appendTo(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		token, err := ParseConnectToken(b)
		if err != nil {
			return
		}
		encoded := token.appendTo(nil)
		if len(encoded) != ConnectTokenSize {
			t.Fatalf("encoded to %d bytes", len(encoded))
		}
		used := offsetAddresses + len(appendAddresses(nil, token.Addresses)) + 2*len(Key{})
		if !bytes.Equal(encoded[:used], b[:used]) || !isZero(encoded[used:]) {
			t.Errorf("%x\nencoded to\n%x", b, encoded)
		}
	})
}

// The same for the private part, whose plain bytes are fuzzed: no fuzzer gets past the cipher.
func FuzzPrivateToken(f *testing.F) {
	f.Add(goldenFile(f, "connect_token_private"))
	full := goldenPrivateToken()
	full.addresses = manyAddresses(MaxAddresses)
	f.Add(full.appendTo(nil))
	f.Add(goldenFile(f, "connect_token_private_encrypted"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var token, again privateToken
		if openGolden(&token, b) == nil && !bytes.Equal(b, goldenFile(t, "connect_token_private_encrypted")) {
			t.Fatalf("opened %x", b)
		}
		plain := make([]byte, privateTokenSize-tagSize)
		copy(plain, b)
		sealed := sealPlain(t, plain)
		if openGolden(&token, sealed) != nil {
			return
		}
		resealed, err := sealPrivateToken(nil, &token, goldenPrivateKey(), goldenProtocolID, goldenExpires, goldenNonce())
		if err != nil {
			t.Fatal(err)
		}
		used := 12 + len(appendAddresses(nil, token.addresses)) + 2*len(Key{}) + UserDataSize
		if isZero(plain[used:]) && !bytes.Equal(resealed, sealed) {
			t.Errorf("plain %x sealed to\n%x, sealed again to\n%x", plain, sealed, resealed)
		}
		if err := openGolden(&again, resealed); err != nil {
			t.Fatal(err)
		}
		checkPrivateToken(t, &again, &token)
	})
}

// Any bytes may arrive. Those that are authentic and open seal to the same bytes again; to reach that far, the fuzzed
// packet is also given a valid tag.
func FuzzPacket(f *testing.F) {
	for _, g := range goldenPackets {
		f.Add(goldenFile(f, g.file))
		p := goldenFile(f, g.file)
		_, _, n, _ := packetHeader(p)
		f.Add(append(append(p[:n:n], g.data(f)...), make([]byte, tagSize)...))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		checkReseals(t, p)
		_, seq, n, ok := packetHeader(p)
		if !ok {
			return
		}
		var sc scratch
		signed := newAEAD(goldenPacketKey()).Seal(bytes.Clone(p[:n]), sc.nonceFor(seq), p[n:len(p)-tagSize],
			sc.associatedData(goldenProtocolID, p[0]))
		if opened := checkReseals(t, signed); opened != dataSizeFits(packetType(p[0]&15), len(p)-n-tagSize) {
			t.Errorf("authentic packet %x: opened %t", signed, opened)
		}
	})
}

// checkReseals reports whether p opens; if it does it must seal to the same bytes again.
func checkReseals(t *testing.T, p []byte) bool {
	var w replayWindow
	typ, seq, data, err := openGoldenPacket(bytes.Clone(p), &w)
	if err != nil {
		return false
	}
	if protected := typ >= packetKeepAlive; w.seen(seq) != protected {
		t.Errorf("packet %x: in the replay window %t", p, !protected)
	}
	minimal := int(p[0]>>4) == sequenceSize(seq) // others are valid, and not what sealPacket writes
	resealed := sealPacket(nil, new(scratch), newAEAD(goldenPacketKey()), goldenProtocolID, typ, seq, data)
	if minimal && !bytes.Equal(resealed, p) {
		t.Errorf("packet %x sealed again to %x", p, resealed)
	}
	return true
}

func FuzzRequest(f *testing.F) {
	f.Add(goldenFile(f, "packet_connection_request"))
	f.Fuzz(func(t *testing.T, p []byte) {
		r, err := parseRequest(p, goldenProtocolID)
		if err != nil {
			return
		}
		if encoded := appendRequest(nil, goldenProtocolID, &r); !bytes.Equal(encoded, p) {
			t.Errorf("%x\nencoded to\n%x", p, encoded)
		}
	})
}

func FuzzChallenge(f *testing.F) {
	f.Add(goldenFile(f, "challenge_token"), uint64(goldenChallengeSeq))
	f.Add(goldenFile(f, "challenge_token_encrypted"), uint64(goldenChallengeSeq))
	f.Fuzz(func(t *testing.T, b []byte, seq uint64) {
		aead := newAEAD(goldenChallengeKey())
		var c, again challenge
		genuine := goldenFile(t, "challenge_token_encrypted")
		if openChallenge(&c, bytes.Clone(b), aead, seq) == nil && !bytes.Equal(b, genuine) {
			t.Fatalf("opened %x under %d", b, seq)
		}
		plain := make([]byte, challengeSize-tagSize)
		copy(plain, b)
		sealed := aead.Seal(nil, c.sc.nonceFor(seq), plain, nil)
		if err := openChallenge(&c, bytes.Clone(sealed), aead, seq); err != nil {
			t.Fatal(err)
		}
		resealed := sealChallenge(nil, aead, seq, &c)
		if isZero(plain[8+UserDataSize:]) && !bytes.Equal(resealed, sealed) {
			t.Errorf("plain %x sealed to\n%x, sealed again to\n%x", plain, sealed, resealed)
		}
		if err := openChallenge(&again, resealed, aead, seq); err != nil || !reflect.DeepEqual(c, again) {
			t.Errorf("client %x opened again as %x, error %v", c.clientID, again.clientID, err)
		}
	})
}
