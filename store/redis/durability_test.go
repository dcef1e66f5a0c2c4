package redis

import (
	"errors"
	"strings"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/redistest"
)

func TestDurability(t *testing.T) {
	tests := []struct {
		name   string
		config []string
		want   []string // a word of each warning
	}{
		{"safe", nil, nil},
		{"snapshots only", []string{"--appendonly", "no"}, []string{"appendonly"}},
		{"once a second", []string{"--appendfsync", "everysec"}, []string{"appendfsync"}},
		{
			"a cache", []string{"--appendonly", "no", "--maxmemory-policy", "allkeys-lru"},
			[]string{"appendonly", "maxmemory-policy"},
		},
		{
			"not synced during a rewrite", []string{"--no-appendfsync-on-rewrite", "yes"},
			[]string{"no-appendfsync-on-rewrite"},
		},
		{
			"no file to rewrite", []string{"--no-appendfsync-on-rewrite", "yes", "--appendonly", "no"},
			[]string{"appendonly"},
		},
		{"drops what has a time to live", []string{"--maxmemory-policy", "volatile-ttl"}, nil},
		{"settings hidden", []string{"--rename-command", "CONFIG", ""}, []string{"CONFIG"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := redistest.Start(t, tt.config...)
			s := openStore(t, Options{URLs: []string{server.URL()}, Logger: quiet()})
			wantWarnings(t, s, server.Addr(), tt.want)
			server.Kill()
			if _, err := s.Durability(t.Context()); !errors.Is(err, rushgate.ErrUnavailable) {
				t.Errorf("Durability without a server: %v, want %v", err, rushgate.ErrUnavailable)
			}
		})
	}
}

func wantWarnings(t *testing.T, s *Store, address string, want []string) {
	t.Helper()
	got, err := s.Durability(t.Context())
	if err != nil || len(got) != len(want) {
		t.Fatalf("warnings are %q, %v; want %d", got, err, len(want))
	}
	for i := range want {
		if !strings.Contains(got[i], want[i]) || !strings.HasPrefix(got[i], address) {
			t.Errorf("warning is %q; want one of %s about %s", got[i], address, want[i])
		}
	}
}
