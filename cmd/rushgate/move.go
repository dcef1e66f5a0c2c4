package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/access"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/audit"
	"github.com/rushgate/rushgate/internal/line"
	"github.com/rushgate/rushgate/internal/move"
	"github.com/rushgate/rushgate/internal/operator"
	"github.com/rushgate/rushgate/server"
	"github.com/rushgate/rushgate/store/redis"
	"github.com/rushgate/rushgate/store/sqlite"
)

const moveSynopsis = `Usage: rushgate move --from PLACE --to PLACE [flags]

Brings all that is kept of the players from one store to another: accounts with their passwords, other credentials and
remembered devices, characters, histories, names that are held after a rename, operators, bans and modes, and the audit log.
PLACE is the data folder of a node on SQLite, or the URL of a Redis or Valkey: redis://[USER:PASSWORD@]HOST[:PORT][/DB],
several separated by commas, rediss:// for TLS.

Stop all nodes first: while one runs on either store, nothing is moved. The store to move to has to be empty, or nothing is
moved: it may have no players, operators or audit log of its own. Each account is read back and compared. The store that is
moved from stays as it is, but for entries of the move in the audit log, so you can go back to it; nothing in it is deleted.
A move that was interrupted is started again, and goes on.

Sessions end: players log in again, or come in by themselves where their device is remembered. Mail that waits to be sent
stays behind; accounts that are to be deleted still are. The pepper and the keys of OPAQUE, if there are any, are in no
store: start the new nodes with the same.

  rushgate move --from ./rushgate-data --to redis://127.0.0.1:6379
  RUSHGATE_FROM=redis://:secret@db.example.org rushgate move --to /var/lib/rushgate`

// movedValues returns the names of what the nodes of a fleet share and that goes along.
func movedValues() []string {
	return slices.Concat(access.SharedNames(), server.OpaqueSharedNames(), []string{operator.SharedName, line.SharedName})
}

// moveFlags are the settings of a move.
type moveFlags struct {
	from, to         secret
	sentinel, prefix text
}

func newMove() *cobra.Command {
	v := &moveFlags{prefix: redis.DefaultPrefix}
	f := newFlags(moveSynopsis)
	f.add(&v.from, "from", "", "`PLACE` that has the players. In the variable, a password does not show in the list of processes")
	f.add(&v.to, "to", "", "`PLACE` that they are brought to")
	f.add(&v.sentinel, "redis-sentinel", "", "`NAME` by which the Sentinels at the URL know the master")
	f.add(&v.prefix, "redis-prefix", "", "`PREFIX` of every key in Redis")
	return newCommand("move", "bring all players from one store to another, such as from SQLite to Redis", f,
		func(ctx context.Context, args []string, stdout, stderr io.Writer) error {
			if err := f.none(args); err != nil {
				return err
			}
			return v.run(ctx, stdout, stderr)
		})
}

func (v *moveFlags) run(ctx context.Context, stdout, stderr io.Writer) error {
	switch {
	case v.from == "":
		return usagef("say where the players are: --from, a data folder or the URL of a Redis")
	case v.to == "":
		return usagef("say where to bring them: --to, a data folder or the URL of a Redis")
	case samePlace(v.from, v.to):
		return usagef("--from and --to are the same place")
	}
	return v.at(ctx, v.from, false, func(from rushgate.Store) error {
		return v.at(ctx, v.to, true, func(to rushgate.Store) error {
			bar := startMoveProgress(stderr)
			report, err := moveNoted(ctx, from, to, kindOfPlace(v.to), bar.set)
			bar.stop()
			return concludeMove(stdout, report, time.Since(bar.started), err)
		})
	})
}

// moveNoted moves everything, and has the audit log of the store that is moved from say so.
func moveNoted(
	ctx context.Context, from, to rushgate.Store, kind string, progress func(done, total int),
) (move.Report, error) {
	trail := &moveTrail{log: newConsoleLog(from), to: kind}
	report, err := move.All(ctx, from, to, move.Options{
		Shared: movedValues(), Progress: progress, Planned: account.PlannedFor,
		Begun: func() error { return trail.begin(ctx) },
		Moved: func(r move.Report) error { return trail.end(ctx, r, "done") },
	})
	if err != nil {
		err = errors.Join(err, trail.fail(ctx, report))
	}
	return report, err
}

// moveTrail writes a move into the audit log of the store that is moved from: that it begins, so that one that is killed
// has left a trace, and what came of it.
type moveTrail struct {
	log   consoleLog
	to    string // what kind of store
	begun uint64 // its entry, 0 if there is none yet
}

func (t *moveTrail) begin(ctx context.Context) (err error) {
	t.begun, err = t.log.log.Append(ctx, audit.Entry{
		Who: operator.Console, What: "store.move", Detail: "begun, to " + t.to,
	})
	if err != nil {
		return fmt.Errorf("the audit log takes nothing, so nothing was moved: %w", err)
	}
	return nil
}

func (t *moveTrail) end(ctx context.Context, r move.Report, outcome string) error {
	_, err := t.log.log.Append(ctx, audit.Entry{
		Who: operator.Console, What: "store.move", Of: t.begun, Outcome: outcome,
		Detail: fmt.Sprintf("%d accounts, %d damaged ones left behind", r.Accounts, len(r.Damaged)),
	})
	return err
}

// fail is end for a move that was interrupted or refused, if it has begun. It may follow a "done", which is written
// before the audit log is copied, so that it goes along: it is then the copying that has failed.
func (t *moveTrail) fail(ctx context.Context, r move.Report) error {
	if t.begun == 0 {
		return nil
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), outcomeTimeout)
	defer cancel()
	return t.end(last, r, "failed")
}

// kindOfPlace is what the audit log is told of a place: its URL may have a password.
func kindOfPlace(place secret) string {
	if strings.Contains(string(place), "://") {
		return "redis"
	}
	return "sqlite"
}

// at opens a place for one job.
func (v *moveFlags) at(ctx context.Context, place secret, create bool, job func(rushgate.Store) error) (err error) {
	if !strings.Contains(string(place), "://") {
		return withSQLite(ctx, string(place), create, func(s *sqlite.Store) error { return job(s) })
	}
	flag := map[bool]string{false: "from", true: "to"}[create]
	store, err := redis.Open(ctx, redis.Options{
		URLs: strings.Split(string(place), ","), SentinelMaster: string(v.sentinel), Prefix: string(v.prefix),
	})
	if err != nil {
		return fmt.Errorf("--%s: %w", flag, err)
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if err := awaitSilence(ctx, store.Nodes); err != nil {
		return fmt.Errorf("--%s: %w", flag, err)
	}
	return job(store)
}

// concludeMove shows what a move has come to, and returns the error of the command.
func concludeMove(w io.Writer, r move.Report, took time.Duration, err error) error {
	if err == nil || r.Accounts+len(r.Damaged)+len(r.Shared)+r.AuditRecords > 0 { // else it was refused
		if e := reportMove(w, r, took); e != nil {
			return errors.Join(err, e)
		}
	}
	switch {
	case errors.Is(err, move.ErrNotEmpty):
		return fmt.Errorf("%w. Move into an empty one: another data folder, another database of the Redis (as in "+
			"redis://127.0.0.1:6379/1), or this one when nothing in it is needed any more and you have emptied it", err)
	case err != nil && r.Accounts > 0:
		return fmt.Errorf("%w; what is there already stays, and the same command goes on from there", err)
	case err != nil:
		return err
	case len(r.Damaged) > 0:
		return fmt.Errorf("%d names were left behind", len(r.Damaged))
	}
	return nil
}

func reportMove(w io.Writer, r move.Report, took time.Duration) error {
	var b strings.Builder
	fmt.Fprintf(&b, "moved     %d accounts in %v (%.0f/s), %d of which were there from an earlier try\n",
		r.Accounts, took.Round(time.Millisecond), float64(r.Accounts)/max(took.Seconds(), 1e-3), r.Before)
	fmt.Fprintf(&b, "          with %d devices and %d events of their histories\n", r.Devices, r.Events)
	if r.Held > 0 {
		fmt.Fprintf(&b, "          and %d names that are held after a rename\n", r.Held)
	}
	if len(r.Shared) > 0 {
		fmt.Fprintf(&b, "          and %s\n", strings.Join(r.Shared, ", "))
	}
	if r.AuditRecords > 0 {
		fmt.Fprintf(&b, "audit     %d records\n", r.AuditRecords)
	}
	for _, name := range r.Damaged {
		fmt.Fprintf(&b, "damaged   %s cannot be read, and stays behind\n", quote(name))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// moveProgress shows how far a move has come: a line that changes on a terminal, otherwise one now and then.
type moveProgress struct {
	w        io.Writer
	terminal bool
	started  time.Time
	shown    time.Time
	painted  bool
}

func startMoveProgress(w io.Writer) *moveProgress {
	now := time.Now()
	return &moveProgress{w: w, terminal: isTerminal(w), started: now, shown: now}
}

func (p *moveProgress) set(done, total int) {
	now, interval := time.Now(), plainProgress
	if p.terminal {
		interval = terminalProgress
	}
	if now.Sub(p.shown) < interval {
		return
	}
	p.shown = now
	line := fmt.Sprintf("counting: %d accounts", total)
	if done > 0 {
		line = fmt.Sprintf("moved %d of %d accounts, %.0f/s", done, total, float64(done)/now.Sub(p.started).Seconds())
	}
	if !p.terminal {
		fmt.Fprintf(p.w, "[MOVE] %s\n", line)
		return
	}
	p.painted = true
	fmt.Fprintf(p.w, "\r%s\x1b[K", line)
}

func (p *moveProgress) stop() {
	if p.painted {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
