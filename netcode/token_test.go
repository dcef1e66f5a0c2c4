package netcode

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// aSpec is a valid specification.
func aSpec() TokenSpec {
	created := time.Date(2031, 5, 6, 7, 8, 9, 999, time.UTC)
	s := TokenSpec{
		ProtocolID: goldenProtocolID,
		ClientID:   goldenClientID,
		CreatedAt:  created,
		ExpiresAt:  created.Add(45 * time.Second),
		Timeout:    5 * time.Second,
		Addresses:  goldenAddresses,
	}
	pattern(s.UserData[:], 3, 2)
	return s
}

// manyAddresses returns n different addresses of both families.
func manyAddresses(n int) []netip.AddrPort {
	var as []netip.AddrPort
	for i := range n {
		ip := netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})
		if i%2 == 1 {
			ip = netip.AddrFrom16([16]byte{0x20, 1, 0x0d, 0xb8, 15: byte(i)})
		}
		as = append(as, netip.AddrPortFrom(ip, uint16(1000+i)))
	}
	return as
}

func TestNewConnectToken(t *testing.T) {
	for _, n := range []int{1, 2, MaxAddresses} {
		spec := aSpec()
		spec.Addresses = manyAddresses(n)
		encoded, err := NewConnectToken(spec, goldenPrivateKey(), nil)
		if err != nil || len(encoded) != ConnectTokenSize {
			t.Fatalf("%d addresses: %d bytes, error %v", n, len(encoded), err)
		}
		token, err := ParseConnectToken(encoded)
		if err != nil {
			t.Fatal(err)
		}
		if token.ProtocolID != spec.ProtocolID || token.CreatedAt != uint64(spec.CreatedAt.Unix()) ||
			token.ExpiresAt != uint64(spec.ExpiresAt.Unix()) || token.Timeout() != spec.Timeout ||
			token.Lifetime() != 45*time.Second || !slices.Equal(token.Addresses, spec.Addresses) {
			t.Errorf("client reads %v, timeout %v, from %+v", token, token.Timeout(), spec)
		}

		request := token.request()
		var private privateToken
		err = openPrivateToken(&private, request.sealed, goldenPrivateKey(), spec.ProtocolID, request.expire, &request.nonce)
		if err != nil {
			t.Fatal(err)
		}
		checkPrivateToken(t, &private, &privateToken{
			clientID: spec.ClientID, timeout: 5, addresses: spec.Addresses, userData: spec.UserData,
			clientToServer: token.ClientToServer, serverToClient: token.ServerToClient,
		})
	}
}

// Each token has its own keys and its own nonce, all from the given source.
func TestNewConnectTokenRandomness(t *testing.T) {
	random := pattern(make([]byte, 32+32+tokenNonceSize), 1, 1)
	encoded, err := NewConnectToken(aSpec(), goldenPrivateKey(), bytes.NewReader(random))
	if err != nil {
		t.Fatal(err)
	}
	token, err := ParseConnectToken(encoded)
	if err != nil {
		t.Fatal(err)
	}
	used := slices.Concat(token.ClientToServer[:], token.ServerToClient[:], token.nonce[:])
	checkBytes(t, used, random)

	broken := errors.New("broken")
	for n := range random {
		source := iotest.DataErrReader(bytes.NewReader(random[:n]))
		if _, err := NewConnectToken(aSpec(), goldenPrivateKey(), source); err == nil {
			t.Fatalf("a token from %d random bytes", n)
		}
	}
	if _, err := NewConnectToken(aSpec(), goldenPrivateKey(), iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("error %v, want it to wrap that of the source", err)
	}
}

func TestNewConnectTokenRefuses(t *testing.T) {
	address := func(s string) func(*TokenSpec) {
		return func(spec *TokenSpec) { spec.Addresses = []netip.AddrPort{netip.MustParseAddrPort(s)} }
	}
	tests := map[string]func(*TokenSpec){
		"no addresses":          func(s *TokenSpec) { s.Addresses = nil },
		"33 addresses":          func(s *TokenSpec) { s.Addresses = manyAddresses(33) },
		"zero address":          func(s *TokenSpec) { s.Addresses = make([]netip.AddrPort, 1) },
		"port 0":                address("127.0.0.1:0"),
		"unspecified":           address("0.0.0.0:1"),
		"unspecified IPv6":      address("[::]:1"),
		"zone":                  address("[fe80::1%eth0]:1"),
		"expires before create": func(s *TokenSpec) { s.ExpiresAt = s.CreatedAt.Add(-time.Second) },
		"no times":              func(s *TokenSpec) { s.CreatedAt, s.ExpiresAt = time.Time{}, time.Time{} },
		"no expiry":             func(s *TokenSpec) { s.ExpiresAt = time.Time{} },
		"before 1970":           func(s *TokenSpec) { s.CreatedAt = time.Unix(-1, 0) },
		"no timeout":            func(s *TokenSpec) { s.Timeout = 0 },
		"timeout of 2^31 s":     func(s *TokenSpec) { s.Timeout = (1 << 31) * time.Second },
		"2^31-1 s and a bit":    func(s *TokenSpec) { s.Timeout = math.MaxInt32*time.Second + 1 },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			spec := aSpec()
			change(&spec)
			if _, err := NewConnectToken(spec, goldenPrivateKey(), nil); !errors.Is(err, ErrInvalidToken) {
				t.Errorf("error %v, want ErrInvalidToken", err)
			}
		})
	}
}

func TestTokenTimeout(t *testing.T) {
	tests := []struct{ in, want time.Duration }{
		{-time.Hour, -time.Second},
		{-1, -time.Second},
		{1, time.Second},
		{time.Second, time.Second},
		{time.Second + 1, 2 * time.Second},
		{math.MaxInt32 * time.Second, math.MaxInt32 * time.Second},
	}
	for _, tt := range tests {
		spec := aSpec()
		spec.Timeout = tt.in
		encoded, err := NewConnectToken(spec, goldenPrivateKey(), nil)
		if err != nil {
			t.Errorf("%v: %v", tt.in, err)
			continue
		}
		token, err := ParseConnectToken(encoded)
		if err != nil || token.Timeout() != tt.want {
			t.Errorf("%v: written as %v, error %v, want %v", tt.in, token.Timeout(), err, tt.want)
		}
	}
}

func TestTokenLifetime(t *testing.T) {
	spec := aSpec()
	spec.ExpiresAt = spec.CreatedAt // allowed by the standard, though of no use
	if _, err := NewConnectToken(spec, goldenPrivateKey(), nil); err != nil {
		t.Errorf("expires when created: %v", err)
	}
	for expires, want := range map[uint64]time.Duration{
		7: 0, 8: time.Second, math.MaxUint64: 9223372036 * time.Second} {
		token := ConnectToken{CreatedAt: 7, ExpiresAt: expires}
		if got := token.Lifetime(); got != want {
			t.Errorf("from 7 to %d: %v, want %v", expires, got, want)
		}
	}
}

// An IPv4 address in its IPv6 form is written as the IPv4 address it is, which is what servers compare with.
func TestTokenUnmapsAddresses(t *testing.T) {
	spec := aSpec()
	spec.Addresses = []netip.AddrPort{netip.MustParseAddrPort("[::ffff:10.1.2.3]:77")}
	encoded, err := NewConnectToken(spec, goldenPrivateKey(), nil)
	if err != nil {
		t.Fatal(err)
	}
	token, err := ParseConnectToken(encoded)
	if want := netip.MustParseAddrPort("10.1.2.3:77"); err != nil || token.Addresses[0] != want {
		t.Errorf("read %v, error %v, want %v", token.Addresses, err, want)
	}
}

// Offsets into a connect token.
const (
	offsetCreated   = len(versionInfo) + 8
	offsetExpires   = offsetCreated + 8
	offsetAddresses = offsetExpires + 8 + tokenNonceSize + privateTokenSize + 4
)

func TestParseConnectTokenRefuses(t *testing.T) {
	put32 := func(at int, v uint32) func([]byte) []byte {
		return func(b []byte) []byte { binary.LittleEndian.PutUint32(b[at:], v); return b }
	}
	tests := map[string]struct {
		change func([]byte) []byte
		want   string
	}{
		"empty":        {func([]byte) []byte { return nil }, "0 bytes"},
		"short":        {func(b []byte) []byte { return b[:len(b)-1] }, "2047 bytes"},
		"long":         {func(b []byte) []byte { return append(b, 0) }, "2049 bytes"},
		"version":      {func(b []byte) []byte { b[11] = '1'; return b }, "version"},
		"no NUL":       {func(b []byte) []byte { b[12] = ' '; return b }, "version"},
		"no addresses": {put32(offsetAddresses, 0), "0 server addresses"},
		"33 addresses": {put32(offsetAddresses, 33), "33 server addresses"},
		"2^32-1":       {put32(offsetAddresses, 1<<32-1), "4294967295 server addresses"},
		"type 0":       {func(b []byte) []byte { b[offsetAddresses+4] = 0; return b }, "type 0"},
		"type 3":       {func(b []byte) []byte { b[offsetAddresses+4+7+19] = 3; return b }, "type 3"},
		"expires before create": {func(b []byte) []byte {
			binary.LittleEndian.PutUint64(b[offsetCreated:], binary.LittleEndian.Uint64(b[offsetExpires:])+1)
			return b
		}, "expires before"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := ParseConnectToken(tt.change(goldenFile(t, "connect_token")))
			if !errors.Is(err, ErrInvalidToken) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want ErrInvalidToken about %s", err, tt.want)
			}
		})
	}
}

// What was parsed does not change with the bytes it was parsed from.
func TestParseConnectTokenCopies(t *testing.T) {
	b := goldenFile(t, "connect_token")
	token, err := ParseConnectToken(b)
	if err != nil {
		t.Fatal(err)
	}
	clear(b)
	if want := goldenConnectToken(t); !reflect.DeepEqual(token, want) {
		t.Errorf("after the bytes were cleared: %v, want %v", token, want)
	}
}
