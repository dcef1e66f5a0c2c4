package netcode

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/internal/memnet"
)

// present sends requests with n new tokens of one client id, each from the same address.
func (f *fixture) present(id uint64, n int) {
	f.t.Helper()
	conn, err := f.network.Dial(clientAddr(9999), testServer)
	if err != nil {
		f.t.Fatal(err)
	}
	defer conn.Close()
	for i := range n {
		_, _ = conn.Write(f.token(spec(id)).appendRequestTo(nil))
		if i%1000 == 999 {
			time.Sleep(100 * time.Millisecond) // so that the queue does not overflow
		}
	}
	time.Sleep(100 * time.Millisecond)
}

// One client id cannot use up the memory for tokens, however many it has.
func TestOneClientCannotFillTheTokenHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := serve(t, memnet.Options{}, 4, nil)
		defer f.server.Stop()
		f.present(666, minTokenHistory)
		if got := f.server.Stats(); got.Handshakes != MaxTokensPerClient ||
			got.Ignored.TooManyTokens != minTokenHistory-MaxTokensPerClient {
			t.Errorf("%d handshakes, ignored %+v", got.Handshakes, got.Ignored)
		}
		if !f.dial(clientAddr(1), f.token(spec(1))).connect(time.Second) {
			t.Errorf("another client is refused: %+v", f.server.Stats().Ignored)
		}
		if f.dial(clientAddr(2), f.token(spec(666))).connect(time.Second) {
			t.Error("one more token is accepted")
		}
		time.Sleep(31 * time.Second) // until the tokens have expired
		if !f.dial(clientAddr(3), f.token(spec(666))).connect(time.Second) {
			t.Error("the client is refused although its tokens have expired")
		}
	})
}

// emptyServer is a server that does not run, for single steps, with a free slot.
func emptyServer(t *testing.T) *Server {
	s := newCrowd(t, 1).server
	s.drop(s.slots[0], ErrLeft)
	return s
}

// What is remembered of tokens goes when they expire, and makes room for others.
func TestTokensAreForgottenWhenTheyExpire(t *testing.T) {
	s := emptyServer(t)
	s.tokens = newTokenHistory(3)
	request := func(id uint64) (answered bool) {
		before := s.Stats().Handshakes
		token := spec(id)
		token.ExpiresAt = s.now.Add(30 * time.Second)
		s.onRequest(newWireClient(t, nil, issue(t, token, &testKey, testRand(byte(id)))).requestPacket(), clientAddr(1))
		return s.Stats().Handshakes > before
	}
	for id, want := range []bool{true, true, true, false} {
		if got := request(uint64(10 + id)); got != want {
			t.Errorf("token %d: answered %t", id, got)
		}
	}
	if got := s.Stats().Ignored.HistoryFull; got != 1 {
		t.Errorf("%d requests ignored because the history is full", got)
	}
	s.now = s.now.Add(31 * time.Second)
	s.pass()
	if n, clients := len(s.tokens.byID), len(s.tokens.perClient); n != 0 || clients != 0 {
		t.Errorf("%d tokens of %d clients remembered after their time", n, clients)
	}
	if !request(20) {
		t.Error("refused although the history is empty")
	}
}

// Two tokens from one address, as when a client has fetched a new one: the later request begins a new handshake, under
// the keys of its own token.
func TestNewTokenReplacesTheHandshakeOfItsAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := serve(t, memnet.Options{}, 4, nil)
		defer f.server.Stop()
		old := f.dial(clientAddr(1), f.token(spec(1)))
		old.request()
		if !old.await(packetChallenge, time.Second) {
			t.Fatal("no challenge")
		}
		old.conn.Close()
		if !f.dial(clientAddr(1), f.token(spec(1))).connect(time.Second) {
			t.Error("the new token is refused")
		}
		if got := f.server.Stats(); got.Pending != 0 || got.Connects != 1 {
			t.Errorf("%d handshakes under way, %d connects", got.Pending, got.Connects)
		}
	})
}

// A wall clock that is ahead for a moment makes the server forget the tokens of that time, not that they were used.
func TestUsedTokenStaysUsedWhenTheClockIsSetBack(t *testing.T) {
	s := emptyServer(t)
	now := time.Now()
	token := issue(t, spec(7), &testKey, testRand(1))
	request := newWireClient(t, nil, token).requestPacket()
	s.now = now
	s.onRequest(request, clientAddr(1))
	s.connect(s.pending.find(clientAddr(1), s.clock), &[UserDataSize]byte{})
	s.drop(s.byID[7], ErrLeft)

	s.now = now.Add(time.Minute)
	s.pass()
	if got := len(s.tokens.byID); got != 0 {
		t.Fatalf("%d tokens remembered after their time", got)
	}
	s.now = now.Add(time.Second)
	before := s.Stats()
	for _, from := range []int{1, 2} {
		s.onRequest(request, clientAddr(from))
	}
	after := s.Stats()
	if after.Handshakes != before.Handshakes || after.Ignored.Expired != before.Ignored.Expired+2 {
		t.Errorf("%d handshakes, ignored %+v", after.Handshakes-before.Handshakes, after.Ignored)
	}

	next := spec(7)
	next.ExpiresAt = next.ExpiresAt.Add(time.Second)
	s.onRequest(newWireClient(t, nil, issue(t, next, &testKey, testRand(2))).requestPacket(), clientAddr(1))
	if got := s.Stats().Handshakes; got != before.Handshakes+1 {
		t.Errorf("a token issued later is refused: %+v", s.Stats().Ignored)
	}
}

func TestKeyOfZerosIsRefused(t *testing.T) {
	if _, err := NewConnectToken(spec(1), &Key{}, nil); !errors.Is(err, errZeroKey) {
		t.Errorf("NewConnectToken: %v", err)
	}
}
