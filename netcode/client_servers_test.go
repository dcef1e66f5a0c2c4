package netcode

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/internal/memnet"
)

// threeServers is a token for three servers, two of which a test scripts.
func threeServers(t *testing.T, network *memnet.Network, change func(*TokenSpec)) (token []byte, first,
	second *script) {
	t.Helper()
	token = tokenFor(t, func(s *TokenSpec) {
		s.Addresses = testAddrs
		if change != nil {
			change(s)
		}
	})
	return token, newScript(t, network, testAddrs[0], token), newScript(t, network, testAddrs[1], token)
}

func TestClientGoesOnToTheNextServer(t *testing.T) {
	const request, response, connected = StateSendingRequest, StateSendingResponse, StateConnected
	tests := []struct {
		name   string
		first  func(*script) // what the first server does
		after  time.Duration // when the second one is tried
		states []State
	}{
		{"dead", func(s *script) {}, dialStagger, []State{request, response, connected}},
		{"full", func(s *script) { s.expect(packetRequest); s.deny() }, 0, []State{request, response, connected}},
		{"dead after the challenge", func(s *script) { s.reach(response) }, responsePatience + challengeDelay,
			[]State{request, response, request, response, connected}},
		{"full after the challenge", func(s *script) { s.reach(response); s.deny() }, challengeDelay,
			[]State{request, response, request, response, connected}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := memnet.New(memnet.Options{})
				token, first, second := threeServers(t, network, nil)
				a := knock(t.Context(), t, network, token)
				tt.first(first)
				if _, ok := second.next(time.Minute); !ok || time.Since(a.start) != tt.after {
					t.Fatalf("second server: %v after %v, want a request after %v", ok, time.Since(a.start), tt.after)
				}
				second.challenge()
				second.expect(packetResponse)
				second.keepAlive()
				a.connected().Close()
				a.passed(append(tt.states, StateDisconnected)...)
			})
		})
	}
}

// Servers count from zero each, the client's key stays the same: a client that moves on must forget what it received
// and must not forget what it sent.
func TestSequenceNumbersAcrossServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := memnet.New(memnet.Options{})
		token, first, second := threeServers(t, network, nil)
		a := knock(t.Context(), t, network, token)
		first.reach(StateSendingResponse)
		for range 2 * replayWindowSize { // discarded, but counted
			first.payload("too early")
		}
		synctest.Wait()
		first.deny()
		second.expect(packetRequest)
		second.challenge()
		if p := second.expect(packetResponse); p.seq != 1 {
			t.Errorf("first packet for the second server has sequence %d, want 1", p.seq)
		}
		second.keepAlive()
		second.expect(packetKeepAlive)
		c := a.connected()
		second.payload("hello")
		if n, err := c.Read(make([]byte, MaxPayload)); n != 5 || err != nil {
			t.Errorf("Read = %d, %v", n, err)
		}
		c.Close()
	})
}

func TestClientFailsAsTheLastServerDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := memnet.New(memnet.Options{})
		token, first, second := threeServers(t, network, func(s *TokenSpec) { s.Addresses = testAddrs[:2] })
		a := knock(t.Context(), t, network, token)
		first.expect(packetRequest)
		first.deny()
		second.reach(StateSendingResponse)
		a.fails(StateResponseTimedOut, 5*time.Second+challengeDelay, StateSendingRequest, StateSendingResponse,
			StateResponseTimedOut)
	})
}

// That a server is full is worth more to know than that another does not answer, or cannot be reached. A server with
// two addresses does not even answer at the second, because a token is bound to the address that first presented it.
func TestDenialOutranksSilence(t *testing.T) {
	for name, reachable := range map[string]bool{"silence": true, "no socket": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := memnet.New(memnet.Options{})
				token, first, _ := threeServers(t, network, func(s *TokenSpec) { s.Addresses = testAddrs[:2] })
				dial, after := dialOn(network), 5*time.Second // the second is tried at once
				if !reachable {
					after = 0
				}
				a := knockWith(t.Context(), t, token, func(ctx context.Context, server netip.AddrPort) (net.Conn, error) {
					if server != testAddrs[0] && !reachable {
						return nil, errors.New("no route")
					}
					return dial(ctx, server)
				})
				first.expect(packetRequest)
				first.deny()
				a.fails(StateDenied, after, StateSendingRequest, StateDenied)
			})
		})
	}
}

func TestContextOutranksADenial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := memnet.New(memnet.Options{})
		token, first, _ := threeServers(t, network, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		a := knock(ctx, t, network, token)
		first.expect(packetRequest)
		first.deny()
		a.fails(StateDisconnected, time.Second, StateSendingRequest, StateDisconnected)
		if !errors.Is(a.err, context.DeadlineExceeded) {
			t.Errorf("error %v", a.err)
		}
	})
}

func TestLifetimeSpansAllServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := memnet.New(memnet.Options{})
		token, _, second := threeServers(t, network, func(s *TokenSpec) { s.ExpiresAt = s.CreatedAt.Add(4 * time.Second) })
		a := knock(t.Context(), t, network, token)
		if _, ok := second.next(time.Minute); !ok {
			t.Fatal("the second server was not tried")
		}
		second.challenge()
		a.fails(StateTokenExpired, 4*time.Second, StateSendingRequest, StateSendingResponse, StateSendingRequest,
			StateTokenExpired)
	})
}

func TestClientGoesOnWhenASocketCannotBeMade(t *testing.T) {
	errNoRoute := errors.New("no route")
	synctest.Test(t, func(t *testing.T) {
		network := memnet.New(memnet.Options{})
		token, _, second := threeServers(t, network, nil)
		dial := dialOn(network)
		a := knockWith(t.Context(), t, token, func(ctx context.Context, server netip.AddrPort) (net.Conn, error) {
			if server == testAddrs[0] {
				return nil, errNoRoute
			}
			return dial(ctx, server)
		})
		second.accept()
		a.connected().Close()

		none := knockWith(t.Context(), t, token, func(context.Context, netip.AddrPort) (net.Conn, error) {
			return nil, errNoRoute
		})
		none.fails(StateDisconnected, 0)
		if !errors.Is(none.err, errNoRoute) {
			t.Errorf("Dial failed with %v, want the reason", none.err)
		}
	})
}

// An attempt leaves no socket behind.
func TestDialClosesSocketsItGaveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := memnet.New(memnet.Options{})
		token := tokenFor(t, func(s *TokenSpec) { s.Addresses = testAddrs })
		knock(t.Context(), t, network, token).fails(StateRequestTimedOut, 5*time.Second+2*dialStagger,
			StateSendingRequest, StateRequestTimedOut)
		for _, server := range testAddrs {
			if _, err := network.Dial(localFor(server), testServer); err != nil {
				t.Errorf("the client's address is still in use: %v", err)
			}
		}
	})
}

// A client that binds to one local address can have one socket at a time: its addresses are tried one after the other.
func TestAddressesTakeTurnsAtOneLocalAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := memnet.New(memnet.Options{})
		token, _, second := threeServers(t, network, nil)
		a := knockWith(t.Context(), t, token, func(_ context.Context, server netip.AddrPort) (net.Conn, error) {
			return network.Dial(clientAddr(1), server)
		})
		if _, ok := second.next(time.Minute); !ok || time.Since(a.start) != 5*time.Second {
			t.Fatalf("second server: %v after %v", ok, time.Since(a.start))
		}
		second.challenge()
		second.expect(packetResponse)
		second.keepAlive()
		a.connected().Close()
		a.passed(StateSendingRequest, StateSendingResponse, StateConnected, StateDisconnected)
	})
}
