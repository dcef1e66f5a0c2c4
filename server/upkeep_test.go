package server

import (
	"crypto/rsa"
	"crypto/x509"
	"log/slog"
	"math/big"
	"strings"
	"testing"
	"time"
)

// The dashboard and the log say the same of a certificate that clients refuse, or soon will.
func TestCertificatesOnTheDashboard(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		from, until  time.Time
		says, logged string
	}{
		"good":          {now.AddDate(0, -1, 0), now.AddDate(0, 1, 0), "lasts until 1 December 2026", ""},
		"about to end":  {now.AddDate(0, -1, 0), now.AddDate(0, 0, 7), "lasts until 8 November 2026", "expires soon"},
		"expired":       {now.AddDate(0, -1, 0), now.AddDate(0, 0, -1), "expired on 31 October 2026", "has expired"},
		"not valid yet": {now.AddDate(0, 0, 1), now.AddDate(0, 1, 0), "valid only from 2 November 2026", "not valid yet"},
		"none":          {says: "has no certificate yet"},
	} {
		log := &lines{}
		u := newUpkeep(slog.New(slog.NewTextHandler(log, nil)))
		u.show(shown{"players", func() *x509.Certificate {
			if c.until.IsZero() {
				return nil
			}
			return &x509.Certificate{NotBefore: c.from, NotAfter: c.until}
		}})
		for range 2 { // the log once a day
			u.warn(now)
		}
		want := 1
		if c.logged == "" {
			want = 0
		}
		if n := log.count("listener=players"); n != want || log.count(c.logged) == 0 && want > 0 {
			t.Errorf("%s: logged %d times, or not that it %s", name, n, c.logged)
		}
		notices := u.notices(now)
		if len(notices) != 1 || !strings.Contains(notices[0].Text, c.says) || notices[0].Bad != (name != "good") {
			t.Errorf("%s: the dashboard says %+v", name, notices)
		}
	}
}

// Only what players meet is warned of because of its key, whatever brings it, and not before it is there.
func TestCostlyKeyWhateverBringsIt(t *testing.T) {
	key := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 4095), E: 65537}
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	log := &lines{}
	u := newUpkeep(slog.New(slog.NewTextHandler(log, nil)))
	var leaf *x509.Certificate // that of an authority is got while the node runs
	u.show(shown{players, func() *x509.Certificate { return leaf }})
	operators := &x509.Certificate{PublicKey: key, NotAfter: now.AddDate(1, 0, 0)}
	u.show(shown{"admin", func() *x509.Certificate { return operators }})
	u.warn(now)
	if n := log.count("\n"); n != 0 {
		t.Errorf("%d lines without a certificate for players", n)
	}
	leaf = &x509.Certificate{Raw: []byte("1"), PublicKey: key, NotAfter: now.AddDate(1, 0, 0)}
	for day := range 3 {
		u.warn(now.AddDate(0, 0, day))
	}
	if n := log.count("RSA key"); n != 1 || log.count("bits=4096") != 1 || log.count("listener=players") != 1 {
		t.Errorf("warned %d times, want once of 4096 bits", n)
	}
}
