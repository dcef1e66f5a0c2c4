package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/redis/rueidis"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/redistest"
)

func TestURLs(t *testing.T) {
	own := &tls.Config{MinVersion: tls.VersionTLS13}
	urls := func(urls ...string) Options { return Options{URLs: urls} }
	tests := []struct {
		opts Options
		want rueidis.ClientOption // addresses, user, password, database
		tls  bool
	}{
		{Options{}, rueidis.ClientOption{InitAddress: []string{"127.0.0.1:6379"}}, false},
		{urls("redis://db"), rueidis.ClientOption{InitAddress: []string{"db:6379"}}, false},
		{urls("redis://[::1]:7000/3"), rueidis.ClientOption{InitAddress: []string{"[::1]:7000"}, SelectDB: 3}, false},
		{
			urls("rediss://:p%40ss%2Fw@db"),
			rueidis.ClientOption{InitAddress: []string{"db:6379"}, Password: "p@ss/w"}, true,
		},
		{
			urls("valkeys://u:p@a:1", "valkeys://u:p@b:2"),
			rueidis.ClientOption{InitAddress: []string{"a:1", "b:2"}, Username: "u", Password: "p"}, true,
		},
		{Options{TLS: own}, rueidis.ClientOption{InitAddress: []string{"127.0.0.1:6379"}}, true},
	}
	for _, tt := range tests {
		got, _, err := clientOption(&tt.opts)
		if err != nil {
			t.Errorf("%q: %v", tt.opts.URLs, err)
			continue
		}
		if !slices.Equal(got.InitAddress, tt.want.InitAddress) || got.Username != tt.want.Username ||
			got.Password != tt.want.Password || got.SelectDB != tt.want.SelectDB || (got.TLSConfig != nil) != tt.tls {
			t.Errorf("%q is %+v, want %+v", tt.opts.URLs, got, tt.want)
		}
		if tt.opts.TLS != nil && got.TLSConfig != tt.opts.TLS {
			t.Errorf("TLS is %+v, want that of the options", got.TLSConfig)
		}
	}
}

func TestBadURLs(t *testing.T) {
	for _, urls := range [][]string{
		{""}, {"secret"}, {"http://u:secret@db"}, {"redis://"}, {"redis://u:sec/ret@db"}, {"redis://u:secret@db:port"},
		{"redis://u:secret@db/zero"}, {"redis://u:secret@db/1/2"}, {"redis://u:secret@db/-1"}, {"redis://u:secret@db:1,db:2"},
		{"redis://u:secret@db?tls=no"}, {"redis://u:secret@db#1"}, {"redis://u:sec ret@db"},
		{"redis://u:secret@db", "redis://db2"},
		{"redis://u:secret@db", "rediss://u:secret@db2"}, {"redis://u:secret@db/1", "redis://u:secret@db2/2"},
	} {
		s, err := Open(t.Context(), Options{URLs: urls})
		if err == nil {
			_ = s.Close()
			t.Errorf("%q was opened", urls)
			continue
		}
		if !errors.Is(err, ErrInvalidURL) && !errors.Is(err, errURLsDiffer) {
			t.Errorf("%q: %v", urls, err)
		}
		if strings.Contains(err.Error(), "sec") {
			t.Errorf("error %q shows a password", err)
		}
	}
}

func TestOpen(t *testing.T) {
	if _, err := Open(t.Context(), Options{Prefix: "a{b}"}); err == nil {
		t.Error("a prefix with braces was taken")
	}
	server := redistest.Start(t, "--requirepass", "secret")
	with := func(userinfo string) Options {
		return Options{URLs: []string{"redis://" + userinfo + server.Addr()}, Logger: quiet()}
	}
	openStore(t, with(":secret@"))
	openStore(t, with("default:secret@"))
	for _, userinfo := range []string{"", ":wrong@", "nobody:secret@"} {
		if s, err := Open(t.Context(), with(userinfo)); err == nil {
			_ = s.Close()
			t.Errorf("opened as %q", userinfo)
		} else if errors.Is(err, rushgate.ErrUnavailable) || strings.Contains(err.Error(), "secret") {
			t.Errorf("opened as %q: %v", userinfo, err)
		}
	}
	server.Kill()
	if _, err := Open(t.Context(), with(":secret@")); !errors.Is(err, rushgate.ErrUnavailable) {
		t.Errorf("Open without a server = %v, want %v", err, rushgate.ErrUnavailable)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, with(":secret@")); !errors.Is(err, context.Canceled) {
		t.Errorf("Open when cancelled = %v, want %v", err, context.Canceled)
	}
}

func TestTLS(t *testing.T) {
	server, trust := redistest.StartTLS(t)
	s := openStore(t, Options{URLs: []string{server.URL()}, TLS: trust})
	admit(t, s, nodeA, registration(1))
	untrusting, err := Open(t.Context(), Options{URLs: []string{server.URL()}})
	if err == nil {
		_ = untrusting.Close()
		t.Error("a server with an unknown certificate was trusted")
	}
}
