package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/audit"
	"github.com/rushgate/rushgate/internal/operator"
	"github.com/rushgate/rushgate/server"
)

// outcomeTimeout is how long the audit log may take to hear what came of a command that was interrupted.
const outcomeTimeout = 5 * time.Second

// consoleLog writes down what is done in a store itself, without a node: before it is done, and what came of it.
type consoleLog struct{ log *audit.Log }

func newConsoleLog(store rushgate.AuditLog) consoleLog { return consoleLog{audit.NewLog(store)} }

// record does something, unless it cannot be written down.
func (c consoleLog) record(ctx context.Context, e audit.Entry, do func() error) error {
	return c.recordWith(ctx, e, func() (string, error) { return "", do() })
}

// recordWith is record for what has more to say of its outcome, which is nothing that tells who a player is.
func (c consoleLog) recordWith(ctx context.Context, e audit.Entry, do func() (said string, err error)) error {
	e.Who = operator.Console
	seq, err := c.log.Append(ctx, e)
	if err != nil {
		return fmt.Errorf("the audit log takes nothing, so nothing was done: %w", err)
	}
	e.Detail, err = do()
	e.Of, e.Outcome = seq, "done"
	if err != nil {
		e.Outcome = "failed"
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), outcomeTimeout)
	defer cancel()
	if _, late := c.log.Append(last, e); late != nil {
		err = errors.Join(err, fmt.Errorf("the audit log has not heard what came of it: %w", late))
	}
	return err
}

// storeLedger is the ledger of a store of one's own.
type storeLedger struct {
	*account.Ledger
	fleet rushgate.Fleet
	log   consoleLog
}

// RefusesPasswords goes by what the node that was started last has noted.
func (l *storeLedger) RefusesPasswords(ctx context.Context) (bool, error) {
	mode, err := server.OpaqueModeOf(ctx, l.fleet)
	return mode == server.OpaqueOnly, err
}

// change records a change to an account.
func (l *storeLedger) change(
	ctx context.Context, what, name, detail string, do func() (account.Changed, error),
) (out account.Changed, err error) {
	found, err := l.Find(ctx, name)
	if err != nil {
		return out, err
	}
	err = l.log.record(ctx, audit.Entry{What: what, Whom: found.ID, Detail: detail}, func() (err error) {
		out, err = do()
		return err
	})
	return out, err
}

// Create makes an account.
func (l *storeLedger) Create(ctx context.Context, name, hash string) (out account.Changed, err error) {
	err = l.log.record(ctx, audit.Entry{What: "account.create"}, func() (err error) {
		out, err = l.Ledger.Create(ctx, name, hash)
		return err
	})
	return out, err
}

// SetPassword gives an account another hash.
func (l *storeLedger) SetPassword(ctx context.Context, name, hash string) (account.Changed, error) {
	return l.change(ctx, "account.password", name, "", func() (account.Changed, error) {
		return l.Ledger.SetPassword(ctx, name, hash)
	})
}

// EndSessions ends the sessions of an account.
func (l *storeLedger) EndSessions(ctx context.Context, name string) (account.Changed, error) {
	return l.change(ctx, "account.end-sessions", name, "", func() (account.Changed, error) {
		return l.Ledger.EndSessions(ctx, name)
	})
}

// Disable keeps an account out.
func (l *storeLedger) Disable(ctx context.Context, name string, b account.Ban) (account.Changed, error) {
	b.By = operator.Console
	until := "until " + b.Until.UTC().Format(time.RFC3339)
	return l.change(ctx, "account.disable", name, until, func() (account.Changed, error) {
		return l.Ledger.Disable(ctx, name, b)
	})
}

// Enable lets an account in again.
func (l *storeLedger) Enable(ctx context.Context, name string) (account.Changed, error) {
	return l.change(ctx, "account.enable", name, "", func() (account.Changed, error) {
		return l.Ledger.Enable(ctx, name, operator.Console)
	})
}

// RecoveryCode makes a code for a player who has lost the password.
func (l *storeLedger) RecoveryCode(ctx context.Context, name string) (code string, expires time.Time, err error) {
	_, err = l.change(ctx, "account.recovery-code", name, "", func() (_ account.Changed, err error) {
		code, expires, err = l.Ledger.RecoveryCode(ctx, name)
		return account.Changed{}, err
	})
	return code, expires, err
}

// Delete removes an account. One whose record cannot be read is removed without its number in the log.
func (l *storeLedger) Delete(ctx context.Context, name string) error {
	found, err := l.Find(ctx, name)
	if err != nil && !errors.Is(err, rushgate.ErrDamagedRecord) {
		return err
	}
	return l.log.record(ctx, audit.Entry{What: "account.delete", Whom: found.ID}, func() error {
		return l.Ledger.Delete(ctx, name)
	})
}

// writeEntries prints entries of the audit log, newest first.
func writeEntries(w io.Writer, entries []audit.Entry) error {
	for _, e := range entries {
		line := fmt.Sprintf("%d  %s  %s  %s", e.Seq, e.At.Format(time.RFC3339), printable(e.Who), printable(e.What))
		if e.Whom != 0 {
			line += fmt.Sprintf("  player %d", e.Whom)
		}
		if e.Detail != "" {
			line += "  " + printable(e.Detail)
		}
		if e.From != "" {
			line += "  from " + printable(e.From)
		}
		if e.Outcome != "" {
			line += "  " + printable(e.Outcome)
		}
		if e.Of != 0 {
			line += fmt.Sprintf(" (of %d)", e.Of)
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}
