package netcode

import (
	"encoding/binary"
	"errors"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"
)

// sealPlain seals the bytes of a plain private token, which need not be valid, as an issuer with the key would.
func sealPlain(tb testing.TB, plain []byte) []byte {
	tb.Helper()
	aead, err := chacha20poly1305.NewX(goldenPrivateKey()[:])
	if err != nil {
		tb.Fatal(err)
	}
	var ad [len(versionInfo) + 16]byte
	return aead.Seal(nil, goldenNonce()[:], plain, tokenAD(ad[:], goldenProtocolID, goldenExpires))
}

func openGolden(dst *privateToken, sealed []byte) error {
	return openPrivateToken(dst, sealed, goldenPrivateKey(), goldenProtocolID, goldenExpires, goldenNonce())
}

// An attacker without the key can change nothing: not the token, nor what it is bound to.
func TestPrivateTokenTampered(t *testing.T) {
	var dst privateToken
	sealed := goldenFile(t, "connect_token_private_encrypted")
	for i := range sealed {
		for bit := range 8 {
			sealed[i] ^= 1 << bit
			if err := openGolden(&dst, sealed); !errors.Is(err, errNotAuthentic) {
				t.Fatalf("byte %d bit %d flipped: error %v, want %v", i, bit, err, errNotAuthentic)
			}
			sealed[i] ^= 1 << bit
		}
	}
	for n := range sealed {
		if openGolden(&dst, sealed[:n]) == nil {
			t.Fatalf("opened the first %d bytes", n)
		}
	}
	if openGolden(&dst, append(sealed, 0)) == nil {
		t.Fatal("opened with a byte too many")
	}
	otherKey, otherNonce := *goldenPrivateKey(), *goldenNonce()
	otherKey[31] ^= 1
	otherNonce[23] ^= 1
	for name, err := range map[string]error{
		"key":      openPrivateToken(&dst, sealed, &otherKey, goldenProtocolID, goldenExpires, goldenNonce()),
		"protocol": openPrivateToken(&dst, sealed, goldenPrivateKey(), goldenProtocolID^1, goldenExpires, goldenNonce()),
		"expiry":   openPrivateToken(&dst, sealed, goldenPrivateKey(), goldenProtocolID, goldenExpires+1, goldenNonce()),
		"nonce":    openPrivateToken(&dst, sealed, goldenPrivateKey(), goldenProtocolID, goldenExpires, &otherNonce),
	} {
		if !errors.Is(err, errNotAuthentic) {
			t.Errorf("with another %s: error %v, want %v", name, err, errNotAuthentic)
		}
	}
	// After all that, the same sealed bytes and the same destination still work.
	if err := openGolden(&dst, sealed); err != nil {
		t.Fatal(err)
	}
	checkPrivateToken(t, &dst, goldenPrivateToken())
}

// An issuer's mistake inside an authentic token is found too.
func TestPrivateTokenRefuses(t *testing.T) {
	count := func(n uint32) func([]byte) {
		return func(b []byte) { binary.LittleEndian.PutUint32(b[12:], n) }
	}
	tests := map[string]func([]byte){
		"no addresses":     count(0),
		"33 addresses":     count(33),
		"2^32-1 addresses": count(1<<32 - 1),
		"type 0":           func(b []byte) { b[16] = 0 },
		"type 3":           func(b []byte) { b[16] = 3 },
		"type 255":         func(b []byte) { b[16+7] = 255 },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			plain := goldenPrivateToken().appendTo(nil)[:privateTokenSize-tagSize]
			change(plain)
			var dst privateToken
			if err := openGolden(&dst, sealPlain(t, plain)); !errors.Is(err, ErrInvalidToken) {
				t.Errorf("error %v, want ErrInvalidToken", err)
			}
		})
	}
}

func TestPrivateTokenTruncated(t *testing.T) {
	token := goldenPrivateToken()
	plain := token.appendTo(nil)
	size := 8 + 4 + len(appendAddresses(nil, token.addresses)) + 2*len(Key{}) + UserDataSize
	var dst privateToken
	for n := range size {
		if err := dst.parse(plain[:n]); !errors.Is(err, ErrInvalidToken) {
			t.Fatalf("first %d of %d bytes: error %v, want ErrInvalidToken", n, size, err)
		}
	}
	if err := dst.parse(plain[:size]); err != nil {
		t.Fatal(err)
	}
}

func TestPrivateTokenBounds(t *testing.T) {
	for _, timeout := range []int32{-1 << 31, -1, 0, 1, 1<<31 - 1} {
		want := goldenPrivateToken()
		want.timeout = timeout
		want.addresses = manyAddresses(MaxAddresses)
		var got privateToken
		if err := openGolden(&got, sealPlain(t, want.appendTo(nil)[:privateTokenSize-tagSize])); err != nil {
			t.Fatal(err)
		}
		checkPrivateToken(t, &got, want)
	}
}

// A server opens all tokens into one place: nothing of a token with many addresses stays for the next.
func TestPrivateTokenReuse(t *testing.T) {
	many := goldenPrivateToken()
	many.addresses = manyAddresses(MaxAddresses)
	var dst privateToken
	for _, want := range []*privateToken{many, goldenPrivateToken()} {
		if err := openGolden(&dst, sealPlain(t, want.appendTo(nil)[:privateTokenSize-tagSize])); err != nil {
			t.Fatal(err)
		}
		checkPrivateToken(t, &dst, want)
	}
}
