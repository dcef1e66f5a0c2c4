package netcode

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/internal/memnet"
)

func TestClientConnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := memnet.New(memnet.Options{})
		token := tokenFor(t, nil)
		s := newScript(t, network, testServer, token)
		a := knock(t.Context(), t, network, token)

		at := func(want time.Duration) {
			t.Helper()
			if got := time.Since(a.start); got != want {
				t.Errorf("%v after the start, want %v", got, want)
			}
		}
		for i := range 3 {
			s.expect(packetRequest)
			at(time.Duration(i) * 100 * time.Millisecond)
		}
		time.Sleep(50 * time.Millisecond)
		s.challenge()
		for i := range uint64(3) {
			if p := s.expect(packetResponse); !bytes.Equal(p.data, challengeData) || p.seq != i {
				t.Errorf("response %d has sequence %d, or is not the challenge", i, p.seq)
			}
			at(250*time.Millisecond + time.Duration(i)*100*time.Millisecond)
		}
		s.keepAlive()
		if p := s.expect(packetKeepAlive); p.seq != 3 {
			t.Errorf("first keep-alive has sequence %d, want 3", p.seq)
		}
		at(450 * time.Millisecond)
		c := a.connected()
		a.passed(StateSendingRequest, StateSendingResponse, StateConnected)
		if c.State() != StateConnected || c.Index() != 3 || c.MaxClients() != 7 {
			t.Errorf("state %v, slot %d of %d, want connected, 3 of 7", c.State(), c.Index(), c.MaxClients())
		}
		c.Close()
	})
}

// challengeDelay keeps what follows a challenge apart from what happens every 100 ms.
const challengeDelay = 30 * time.Millisecond

// reach brings a client to a state before it is connected.
func (s *script) reach(state State) {
	s.t.Helper()
	s.expect(packetRequest)
	if state == StateSendingResponse {
		time.Sleep(challengeDelay)
		s.challenge()
		s.expect(packetResponse)
	}
}

func TestClientFails(t *testing.T) {
	const request, response = StateSendingRequest, StateSendingResponse
	lifetime := func(d time.Duration) func(*TokenSpec) {
		return func(s *TokenSpec) { s.ExpiresAt = s.CreatedAt.Add(d) }
	}
	endless := func(s *TokenSpec) { s.Timeout = -1 }
	// The clock of the issuer and that of the client need not agree on anything.
	past := func(s *TokenSpec) { s.CreatedAt, s.ExpiresAt = time.Unix(1, 0), time.Unix(4, 0) }
	future := func(s *TokenSpec) { s.CreatedAt, s.ExpiresAt = time.Unix(1<<40, 0), time.Unix(1<<40+4, 0) }
	tests := []struct {
		name   string
		token  func(*TokenSpec)
		in     State // which the server lets the client reach at once
		denies bool
		want   State
		after  time.Duration
	}{
		{"no answer to request", nil, request, false, StateRequestTimedOut, 5 * time.Second},
		{"no answer to response", nil, response, false, StateResponseTimedOut, 5*time.Second + challengeDelay},
		{"denied request", nil, request, true, StateDenied, 0},
		{"denied response", nil, response, true, StateDenied, challengeDelay},
		{"expired in request", lifetime(2 * time.Second), request, false, StateTokenExpired, 2 * time.Second},
		{"expired in response", lifetime(2 * time.Second), response, false, StateTokenExpired, 2 * time.Second},
		{"expires with the timeout", lifetime(5 * time.Second), request, false, StateTokenExpired, 5 * time.Second},
		{"no timeout", endless, request, false, StateTokenExpired, 30 * time.Second},
		{"issued in 1970", past, request, false, StateTokenExpired, 3 * time.Second},
		{"issued in the far future", future, request, false, StateTokenExpired, 4 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := memnet.New(memnet.Options{})
				token := tokenFor(t, tt.token)
				s := newScript(t, network, testServer, token)
				a := knock(t.Context(), t, network, token)
				s.reach(tt.in)
				if tt.denies {
					s.deny()
				}
				way := []State{request, response, tt.want}
				if tt.in == request {
					way = []State{request, tt.want}
				}
				a.fails(tt.want, tt.after, way...)
			})
		})
	}
}

func TestClientRefusesLifelessToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := memnet.New(memnet.Options{})
		token := tokenFor(t, func(s *TokenSpec) { s.ExpiresAt = s.CreatedAt })
		s := newScript(t, network, testServer, token)
		knock(t.Context(), t, network, token).fails(StateTokenExpired, 0, StateSendingRequest, StateTokenExpired)
		if got := s.collect(time.Second); len(got) > 0 {
			t.Errorf("%d packets were sent with an expired token", len(got))
		}
	})
}

func TestClientRefusesInvalidToken(t *testing.T) {
	for name, damage := range map[string]func([]byte) []byte{
		"empty":       func([]byte) []byte { return nil },
		"cut":         func(b []byte) []byte { return b[:len(b)-1] },
		"version":     func(b []byte) []byte { b[0]++; return b },
		"no lifetime": func(b []byte) []byte { b[13+8+7] = 0xFF; return b },
	} {
		t.Run(name, func(t *testing.T) {
			var states []State
			_, err := Dial(t.Context(), damage(tokenFor(t, nil)), ClientOptions{
				OnState: func(s State) { states = append(states, s) },
			})
			if !errors.Is(err, StateError{StateInvalidToken}) || !errors.Is(err, ErrInvalidToken) {
				t.Errorf("Dial failed with %v", err)
			}
			if !slices.Equal(states, []State{StateInvalidToken}) {
				t.Errorf("states %v", states)
			}
		})
	}
}

func TestDialEndsWithItsContext(t *testing.T) {
	tests := []struct {
		name       string
		in         State
		goodbyes   int
		way        []State
		cancelling func(context.Context, time.Duration) (context.Context, context.CancelFunc)
		want       error
	}{
		{"cancelled in request", StateSendingRequest, 0, []State{StateSendingRequest, StateDisconnected},
			cancelAfter, context.Canceled},
		// The server may have given the client a slot already.
		{"cancelled in response", StateSendingResponse, disconnectPackets,
			[]State{StateSendingRequest, StateSendingResponse, StateDisconnected}, cancelAfter, context.Canceled},
		{"deadline", StateSendingRequest, 0, []State{StateSendingRequest, StateDisconnected},
			context.WithTimeout, context.DeadlineExceeded},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := memnet.New(memnet.Options{})
				token := tokenFor(t, func(s *TokenSpec) { s.Addresses = testAddrs })
				s := newScript(t, network, testServer, token)
				ctx, cancel := tt.cancelling(t.Context(), 130*time.Millisecond)
				defer cancel()
				a := knock(ctx, t, network, token)
				s.reach(tt.in)
				a.fails(StateDisconnected, 130*time.Millisecond, tt.way...)
				if !errors.Is(a.err, tt.want) {
					t.Errorf("Dial failed with %v, want %v", a.err, tt.want)
				}
				goodbyes := 0
				for _, p := range s.collect(time.Second) {
					if p.t == packetDisconnect {
						goodbyes++
					}
				}
				if goodbyes != tt.goodbyes {
					t.Errorf("%d disconnect packets, want %d", goodbyes, tt.goodbyes)
				}
			})
		})
	}
}

func cancelAfter(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	time.AfterFunc(d, cancel)
	return ctx, cancel
}

// A context that ends in the last moment must not leave its deadline on the socket of a connection.
func TestDialEndsWithItsContextWhileItSucceeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := memnet.New(memnet.Options{})
		token := tokenFor(t, nil)
		s := newScript(t, network, testServer, token)
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error)
		go func() {
			_, err := Dial(ctx, token, ClientOptions{Dial: dialOn(network), OnState: func(s State) {
				if s == StateConnected {
					cancel()
				}
			}})
			result <- err
		}()
		s.reach(StateSendingResponse)
		s.keepAlive()
		if err := <-result; !errors.Is(err, context.Canceled) {
			t.Errorf("Dial ended with %v", err)
		}
		if got := s.collect(time.Second); len(got) != disconnectPackets {
			t.Errorf("%d packets, want %d goodbyes", len(got), disconnectPackets)
		}
	})
}

func TestDialWithEndedContextSendsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := memnet.New(memnet.Options{})
		token := tokenFor(t, nil)
		s := newScript(t, network, testServer, token)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		a := knock(ctx, t, network, token)
		a.fails(StateDisconnected, 0)
		if got := s.collect(time.Second); len(got) > 0 || !errors.Is(a.err, context.Canceled) {
			t.Errorf("%d packets, error %v", len(got), a.err)
		}
	})
}

func TestConnectionOutlivesTheContextOfDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := memnet.New(memnet.Options{})
		token := tokenFor(t, nil)
		s := newScript(t, network, testServer, token)
		ctx, cancel := context.WithCancel(t.Context())
		a := knock(ctx, t, network, token)
		s.accept()
		c := a.connected()
		cancel()
		synctest.Wait()
		time.AfterFunc(time.Second, func() { s.payload("hello") })
		if n, err := c.Read(make([]byte, MaxPayload)); n != 5 || err != nil {
			t.Errorf("Read = %d, %v", n, err)
		}
		c.Close()
	})
}

func TestStateNames(t *testing.T) {
	if got := (StateError{StateDenied}).Error(); got != "netcode: connection denied" {
		t.Errorf("error text %q", got)
	}
	seen := map[string]bool{}
	for s := StateTokenExpired; s <= StateConnected+1; s++ {
		if seen[s.String()] || s.String() == "" {
			t.Errorf("state %d has no name of its own: %q", s, s)
		}
		seen[s.String()] = true
	}
}
