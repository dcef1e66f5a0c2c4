package server

import (
	"crypto/x509"
	"log/slog"
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
