package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/audit"
	"github.com/rushgate/rushgate/internal/importer"
	"github.com/rushgate/rushgate/internal/importer/oldgame"
	"github.com/rushgate/rushgate/server"
	"github.com/rushgate/rushgate/store/redis"
	"github.com/rushgate/rushgate/store/sqlite"
)

const importSynopsis = `Usage: rushgate import COMMAND [flags]

Brings in the players of another game, who keep their passwords.

`

func newImport() *cobra.Command {
	return newGroup("import", "bring in the players of another game", importSynopsis,
		newImportRedis(), newImportRecords(), newImportSources(), newImportSchemes())
}

const importRedisSynopsis = `Usage: rushgate import redis --file FILE | --from URL [flags]

Brings in the players of the game that Rushgate replaces: accounts, which keep their passwords, and characters with
position, hit points, experience, stats, inventory and equipment. It reads the records account:NAME and player:ID, as
the old game's Lisp printed them,

  --from   from the old game's Redis, where nothing is changed. Stop the old game first, so that nothing changes there
  --file   or from a file with one JSON object on each line: {"key":"account:bob","value":"(:VERSION 2 ..."}

First everything is read and checked; then the players are written, some hundred at a time. Begin with --dry-run, which
writes nothing and says what would be refused. An import that was interrupted is started again: players who are there
already are counted and left as they are. Import before the first new player registers, so that every old id is free.

A record that cannot be read, or whose place is taken, is refused and harms no other. The report says which and why;
--json has up to a thousand of them in full. The exit status is 0 if no record was refused, and otherwise 1.

  rushgate import redis --from redis://old-server:6379 --dry-run
  rushgate import redis --from redis://old-server:6379
  rushgate import redis --file players.jsonl --data /var/lib/rushgate --json report.json
  rushgate import redis --from redis://old-server:6379 --db redis --redis-url redis://new-server:6379`

// errRefused ends an import that went to its end without some of the records.
var errRefused = errors.New("not all records were imported")

// importFlags are the settings of an import.
type importFlags struct {
	file, data, world, jsonFile text
	from                        secret
	db                          choice
	redis                       redisFlags
	dryRun                      toggle
}

func newImportFlags() *importFlags {
	return &importFlags{data: server.DefaultDataDir, redis: newRedisFlags(), db: choice{"sqlite", []string{"sqlite", "redis"}}}
}

func (v *importFlags) declare() *flags {
	f := newFlags(importRedisSynopsis)
	f.add(&v.file, "file", "", "`FILE` with the old game's records, a JSON object on each line")
	f.add(&v.from, "from", "MMORPG_IMPORT_REDIS_URL", "`URL` of the old game's Redis: redis://USER:PASSWORD@HOST:PORT/DB, or rediss:// for TLS. A comma in a password may be written %2C, as in --redis-url. In the variable, a password does not show in the list of processes")
	v.declareStore(f)
	f.add(&v.world, "world", "", "`FILE` that defines the world, if the node is started with one: it says what level experience is worth")
	f.add(&v.dryRun, "dry-run", "", "write nothing")
	f.add(&v.jsonFile, "json", "", "`FILE` for the report as JSON")
	f.addConfig()
	return f
}

// declareStore declares what says where the players go.
func (v *importFlags) declareStore(f *flags) {
	f.add(&v.db, "db", "MMORPG_DB_BACKEND", "`STORE` to import into: sqlite or redis")
	f.add(&v.data, "data", "", "`DIR` with the SQLite database: what the node is started with")
	v.redis.declare(f)
}

func newImportRedis() *cobra.Command {
	v := newImportFlags()
	f := v.declare()
	return newCommand("redis", "bring in the old game's players, from its Redis or from a file", f,
		func(ctx context.Context, args []string, stdout, stderr io.Writer) error {
			if err := f.none(args); err != nil {
				return err
			}
			return v.run(ctx, stdout, stderr)
		})
}

func (v *importFlags) run(ctx context.Context, stdout, stderr io.Writer) (err error) {
	if (v.file == "") == (v.from == "") {
		return usagef("say where the records are: either --file or --from, which MMORPG_IMPORT_REDIS_URL also sets")
	}
	opts := importer.Options{DryRun: bool(v.dryRun)}
	if opts.World, err = readDefinition(ctx, v.world); err != nil {
		return err
	}
	src, err := v.source()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	from := "from the old game's Redis"
	if v.file != "" {
		from = "from a file"
	}
	return v.withStore(ctx, func(store rushgate.Store) error {
		_, err := v.bring(ctx, src, store, opts, from, stdout, stderr)
		return err
	})
}

// bring imports the players of a source, shows how far that is and what came of it, and has the audit log of the store
// say so, unless it is a dry run.
func (v *importFlags) bring(
	ctx context.Context, src importer.Source, store rushgate.Store, opts importer.Options, from string,
	stdout, stderr io.Writer,
) (report importer.Report, err error) {
	bar := startImportProgress(stderr)
	opts.Progress = bar.set
	do := func() (string, error) {
		report, err = importer.Import(ctx, src, store, opts)
		return fmt.Sprintf("%d imported, %d refused", report.Imported, report.Refused), err
	}
	if opts.DryRun {
		_, err = do()
	} else {
		err = newConsoleLog(store).recordWith(ctx, audit.Entry{What: "store.import", Detail: from}, do)
	}
	bar.stop()
	if err != nil && report.Imported > 0 && !opts.DryRun {
		fmt.Fprintf(stderr, "%d accounts were brought in and stay; start the import again, which goes on where it was\n",
			report.Imported)
	}
	return report, v.conclude(report, err, stdout)
}

func (v *importFlags) source() (importer.Source, error) {
	if v.file != "" {
		return oldgame.OpenFile(string(v.file))
	}
	return oldgame.OpenRedis(string(v.from))
}

// withStore opens the store to import into for one job. A dry run makes nothing, and gets nil if there is no store yet.
func (v *importFlags) withStore(ctx context.Context, job func(rushgate.Store) error) error {
	if v.db.value == "redis" {
		store, err := redis.Open(ctx, redis.Options{URLs: v.redis.addresses(), SentinelMaster: string(v.redis.sentinel), Prefix: string(v.redis.prefix)})
		if err != nil {
			return fmt.Errorf("open the store: %w", err)
		}
		return errors.Join(job(store), store.Close())
	}
	_, err := os.Stat(filepath.Join(string(v.data), server.DatabaseName))
	if bool(v.dryRun) && errors.Is(err, fs.ErrNotExist) {
		return job(nil)
	}
	return withSQLite(ctx, string(v.data), true, func(store *sqlite.Store) error { return job(store) })
}

// conclude shows the report of an import that has ended with err, and returns the error of the command.
func (v *importFlags) conclude(report importer.Report, err error, stdout io.Writer) error {
	errs := []error{err, nil, writeJSON(v.jsonFile, report)}
	if found := report.Accounts + report.Characters + report.Ignored; err == nil || found > 0 {
		errs[1] = writeImportReport(stdout, &report)
	}
	switch {
	case errors.Is(err, rushgate.ErrIDsInUse):
		errs[0] = fmt.Errorf("new players have been given ids of the old game; import into an empty store (%w)", err)
	case err == nil && report.Refused > 0:
		errs[0] = fmt.Errorf("%w: %d were refused", errRefused, report.Refused)
	}
	return errors.Join(errs...)
}

// shownRefusals is how many refused records are shown; --json has more.
const shownRefusals = 20

func writeImportReport(w io.Writer, r *importer.Report) error {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-10s%s\n", name, fmt.Sprintf(format, args...))
	}
	line("read", "%d accounts and %d characters in %v; %d other keys", r.Accounts, r.Characters, r.Reading.Round(time.Millisecond), r.Ignored)
	imported := "imported"
	if r.DryRun {
		imported = "would do"
	}
	line(imported, "%d accounts, %d of them without a character, in %v (%.0f/s)", r.Imported, r.WithoutCharacter, r.Writing.Round(time.Millisecond), r.Rate())
	line("present", "%d accounts, from an earlier import", r.Present)
	if len(r.Kinds) > 0 {
		line("hashes", "%d kinds", len(r.Kinds))
		for _, kind := range slices.Sorted(maps.Keys(r.Kinds)) {
			line("", "%7d %s", r.Kinds[kind], kind)
		}
	}
	if r.Hardened > 0 && !r.DryRun {
		line("hardened", "%d weak hashes in %v (%.0f/s)", r.Hardened, r.Hardening.Round(time.Millisecond), float64(r.Hardened)/r.Hardening.Seconds())
	}
	if r.Banned > 0 {
		line("banned", "%d accounts, as they were there", r.Banned)
	}
	if r.Locked > 0 {
		line("locked", "%d accounts that no password opens until you set one", r.Locked)
		for _, account := range r.LockedAccounts[:min(len(r.LockedAccounts), shownRefusals)] {
			fmt.Fprintf(&b, "  %s\n", account)
		}
	}
	if r.Alike > 0 {
		line("alike", "%d names look like another's, and are kept as they are", r.Alike)
		for _, account := range r.AlikeAccounts[:min(len(r.AlikeAccounts), shownRefusals)] {
			fmt.Fprintf(&b, "  %s\n", account)
		}
	}
	line("refused", "%d records", r.Refused)
	for _, cause := range slices.Sorted(maps.Keys(r.RefusedBy)) {
		line("", "%7d %s", r.RefusedBy[cause], cause)
	}
	if r.HighestID > 0 {
		line("ids", "up to %d belong to the old game", r.HighestID)
	}
	for i := range r.Refusals[:min(len(r.Refusals), shownRefusals)] {
		fmt.Fprintf(&b, "  %v\n", r.Refusals[i])
	}
	if more := r.Refused - shownRefusals; more > 0 {
		fmt.Fprintf(&b, "  and %d more\n", more)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
