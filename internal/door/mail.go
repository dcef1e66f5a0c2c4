package door

import (
	"net/netip"
	"time"
)

// What clients may have sent by mail: so many from one origin within mailWindow, and so many about one account, or to
// one of its addresses. Which accounts there are makes no difference.
const (
	originMails  = 30
	accountMails = 5
	mailWindow   = time.Hour
)

// mails are the budgets of mail.
type mails struct {
	accounts *table[uint64, meter]
	networks *table[netip.Prefix, meter]
}

func newMails(limit int) mails {
	return mails{accounts: newTable[uint64, meter](limit, nil), networks: newTable[netip.Prefix, meter](limit, nil)}
}

var accountBudget, originBudget = budget{accountMails, mailWindow}, budget{originMails, mailWindow}

// Mail answers the wish of a client to have a mail sent to the player of a name. The error is a [*rushgate.Refusal] if
// too many were asked for, or if the client is locked out.
func (d *Door) Mail(from netip.Addr, name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.cfg.Now()
	if d.closed {
		d.refused.knocking.Draining++
		r := busy(d.later(Draining))
		return &r
	}
	who := d.budgets.pair(&Knock{Addr: from, Name: name})
	if v, wait := d.judgeMail(who, now); v != free {
		r := d.limited(v, wait, &d.refused.knocking)
		return &r
	}
	d.mails.accounts.make(who.name).charge(accountBudget, now)
	for _, g := range groupsOf(who.origin) {
		d.mails.networks.make(g.network).charge(originBudget.times(g.times), now)
	}
	return nil
}

func (d *Door) judgeMail(who pair, now time.Time) (verdict, time.Duration) {
	if wait, shared := d.budgets.lockouts.wait(who, d.budgets.isKnown(who), false, now); wait > 0 && shared {
		return lockedTogether, wait
	}
	if m := d.mails.accounts.get(who.name); m != nil && m.full(accountBudget, now) {
		return m.verdict(accountBudget, now, spent)
	}
	for _, g := range groupsOf(who.origin) {
		limit := originBudget.times(g.times)
		if m := d.mails.networks.get(g.network); m != nil && m.full(limit, now) {
			return m.verdict(limit, now, spent)
		}
	}
	return free, 0
}
