package redis

import (
	"errors"
	"strings"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/redistest"
)

// What stands in the place of a shared value and is none is told, named, and never overwritten; it is no fault of the
// server's.
func TestDamagedSharedValue(t *testing.T) {
	const secret = "5ecret"
	server := redistest.Start(t)
	s := openStore(t, Options{URLs: []string{server.URL()}, Logger: quiet()})
	for name, damage := range map[string][]string{
		"no hash":  {"SET", s.sharedKey("keys"), secret},
		"empty":    {"HSET", s.sharedKey("keys"), sharedField, ""},
		"too long": {"HSET", s.sharedKey("keys"), sharedField, strings.Repeat(secret, rushgate.MaxSharedLen)},
	} {
		t.Run(name, func(t *testing.T) {
			server.Do("DEL", s.sharedKey("keys"))
			server.Do(damage[0], damage[1:]...)
			before, err := server.Do("DUMP", s.sharedKey("keys")).ToString()
			if err != nil {
				t.Fatal(err)
			}
			_, read := s.Shared(t.Context(), "keys")
			_, made := s.SwapShared(t.Context(), "keys", nil, []byte("new"))
			_, swapped := s.SwapShared(t.Context(), "keys", []byte(secret), []byte("new"))
			for _, err := range []error{read, made, swapped} {
				if !errors.Is(err, rushgate.ErrDamagedRecord) || !strings.Contains(err.Error(), s.sharedKey("keys")) ||
					strings.Contains(err.Error(), secret) {
					t.Errorf("error %.200v, want %v of the key, and no value", err, rushgate.ErrDamagedRecord)
				}
			}
			if after, err := server.Do("DUMP", s.sharedKey("keys")).ToString(); err != nil || after != before {
				t.Errorf("what is there was changed, %v", err)
			}
		})
	}
	if h := s.Health(); h.Failures != 0 || h.Open {
		t.Errorf("a value's damage counts as the server's: %+v", h)
	}
}

// While the server is away the shared values are too, and nothing else is said of them.
func TestSharedValueDuringAnOutage(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, Options{URLs: []string{server.URL()}, Logger: quiet()})
	if swapped, err := s.SwapShared(t.Context(), "keys", nil, []byte("first")); err != nil || !swapped {
		t.Fatal(swapped, err)
	}
	server.Kill()
	for range breakAfter + 1 {
		if value, err := s.Shared(t.Context(), "keys"); !errors.Is(err, rushgate.ErrUnavailable) {
			t.Errorf("Shared = %q, %v; want %v", value, err, rushgate.ErrUnavailable)
		}
		swapped, err := s.SwapShared(t.Context(), "keys", []byte("first"), []byte("second"))
		if !errors.Is(err, rushgate.ErrUnavailable) || swapped {
			t.Errorf("SwapShared = %v, %v; want %v", swapped, err, rushgate.ErrUnavailable)
		}
	}
	server.Restart()
	eventually(t, func() error {
		value, err := s.Shared(t.Context(), "keys")
		if err == nil && string(value) != "first" {
			t.Errorf("after the outage the value is %q", value)
		}
		return err
	})
}
