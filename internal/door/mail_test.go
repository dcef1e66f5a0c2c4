package door

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
)

// mail asks for one, and returns the refusal, or the zero one.
func (w *busyWorld) mail(from, name string) rushgate.Refusal {
	r, _ := errors.AsType[*rushgate.Refusal](w.Mail(netip.MustParseAddr(from), name))
	if r == nil {
		return rushgate.Refusal{}
	}
	return *r
}

func TestMailsAboutAnAccountAreFew(t *testing.T) {
	w := newBusyWorld(t, 10, nil)
	for i := range 20 {
		r := w.mail(fmt.Sprintf("10.0.0.%d", i), "alice")
		if (r.Reason == rushgate.RateLimited) != (i >= accountMails) {
			t.Errorf("mail %d: %+v", i+1, r)
		}
		if i >= accountMails && (r.RetryAfter < time.Minute || r.RetryAfter > mailWindow/accountMails+time.Minute) {
			t.Errorf("mail %d: again in %v", i+1, r.RetryAfter)
		}
	}
	if r := w.mail("10.0.0.1", "bob"); r.Reason != "" {
		t.Errorf("about another account: %+v", r)
	}
	w.now = w.now.Add(mailWindow/accountMails + time.Second)
	if r := w.mail("10.0.0.1", "alice"); r.Reason != "" {
		t.Errorf("later: %+v", r)
	}
}

func TestMailsOfAnOriginAreBounded(t *testing.T) {
	for name, c := range map[string]struct {
		from string // by number
		want int
	}{
		"IPv4": {"203.0.113.7", originMails}, "of a /64": {"2001:db8::%x", originMails},
		"of a /48": {"2001:db8:0:%x::1", 4 * originMails},
	} {
		w := newBusyWorld(t, 10, nil)
		let := 0
		for i := range 1000 {
			from := c.from
			if name != "IPv4" {
				from = fmt.Sprintf(c.from, i+1)
			}
			if r := w.mail(from, fmt.Sprint("player-", i)); r.Reason == "" {
				let++
			} else if r.Reason != rushgate.RateLimited || r.RetryAfter <= 0 {
				t.Fatalf("%s: %+v", name, r)
			}
		}
		if want := c.want; let > want || let < want/2 {
			t.Errorf("%s: %d mails, want about %d", name, let, want)
		}
	}
}

func TestMailBudgetsAreBounded(t *testing.T) {
	w := newBusyWorld(t, 10, func(c *Config) { c.remember = 100 })
	for i := range 10_000 {
		from, name := player(i)
		if r := w.mail(from, name); r.Reason != "" {
			t.Fatal(r)
		}
	}
	if n, m := w.mails.accounts.len(), w.mails.networks.len(); n > 100 || m > 100 {
		t.Errorf("%d accounts and %d networks are remembered", n, m)
	}
	w.Close()
	if r := w.mail("10.0.0.1", "alice"); r.Reason != rushgate.ServerBusy || r.RetryAfter <= 0 {
		t.Errorf("of a door that is closed: %+v", r)
	}
}
