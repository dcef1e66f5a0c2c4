package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/importer"
	"github.com/rushgate/rushgate/internal/importer/records"
	"github.com/rushgate/rushgate/internal/importer/scheme"
	"github.com/rushgate/rushgate/password"
)

const importRecordsSynopsis = `Usage: rushgate import records [--system NAME] --file FILE | --from URL [flags]

Brings in accounts, with their passwords, of other systems: game servers, forums, identity services. With --system FILE is
that system's own: its SQLite database, a dump of MySQL or PostgreSQL, or what else "rushgate import sources" says. It is
only read. --table and --columns are for tables that are others than usual, and --map for the characters.

With --from URL in place of --file the database itself is read, of MySQL, MariaDB or PostgreSQL, as it is at one moment, in
a transaction that cannot write. The user needs SELECT on the tables and nothing else. The password is read of
--from-password-file, or of the variable MYSQL_PWD or PGPASSWORD, or of ~/.pgpass; never give it in the URL.

Without --system FILE has a JSON object on each line, of any of the systems that "rushgate import schemes" lists,

  {"system": "authme SHA256", "username": "Alice", "stored": {"password": "$SHA$0f1e2d3c4b5a6978$b523..."}}

with the name of the system that stored the record, the player's name there, and the columns that prove the password, by
their names. "as" gives the account another name here; other fields are ignored. docs/import.md says for each system what
to export, and what players notice.

Hashes that take next to nothing to try passwords against are not stored: what is stored is a new hash of them, which takes
as long to make as one of a password. The first login replaces it, and any other hash that is kept, by one of this server's
own. Set --password-hash-iterations and --password-pepper-file as the nodes have them.

First everything is read and checked; then the accounts are written, some hundred at a time. Begin with --dry-run, which
writes nothing and says what kinds of hashes there are, what would be refused and why, and how long it will take. An import
that was interrupted is started again: accounts that are there already are counted and left as they are.

A record that cannot be read, or whose name is taken, is refused and harms no other. Of names that are one here, because
only their case or width differs, the one that is spelled as here is brought in; --json has up to a thousand of the others
in full. The exit status is 0 if no record was refused, and otherwise 1.

  rushgate import records --system minetest --file auth.sqlite --dry-run
  rushgate import records --system "authme SHA256" --file dump.sql
  rushgate import records --system phpbb --from mysql://reader@db.example.org/forum --from-password-file pw --dry-run
  rushgate import records --system nakama --from "postgres://reader@/nakama?socket=/run/postgresql"
  rushgate import records --system freeciv --table auth --columns name=login,password=hash --file dump.sql
  rushgate import records --file players.jsonl --dry-run
  rushgate import records --file players.jsonl --data /var/lib/rushgate --json report.json
  rushgate import records --file players.jsonl --scheme ours.json --db redis --redis-url redis://new-server:6379`

// hardenedAtOnce is how many accounts are hardened and written at once: some seconds of hashing, so that the cores seldom
// wait for each other and for the store.
const hardenedAtOnce = 1024

// importRecordsFlags are the settings of an import of records.
type importRecordsFlags struct {
	importFlags
	schemes repeated
	from    sourceFlags
	hashing *accountFlags
}

func newImportRecords() *cobra.Command {
	v := &importRecordsFlags{importFlags: *newImportFlags(), hashing: newAccountFlags()}
	f := newFlags(importRecordsSynopsis)
	f.add(&v.file, "file", "", "`FILE` with the records, a JSON object on each line; or with --system the other system's own")
	v.from.declare(f)
	declareSchemes(f, &v.schemes)
	v.declareStore(f)
	v.hashing.declareIterations(f)
	f.add(&v.world, "world", "", "`FILE` that defines the world, for --map, if the node is started with one")
	f.add(&v.dryRun, "dry-run", "", "write nothing")
	f.add(&v.jsonFile, "json", "", "`FILE` for the report as JSON")
	f.addConfig()
	return newCommand("records", "bring in accounts as other systems have stored them", f,
		func(ctx context.Context, args []string, stdout, stderr io.Writer) error {
			if err := f.none(args); err != nil {
				return err
			}
			return v.run(ctx, stdout, stderr)
		})
}

func declareSchemes(f *flags, v *repeated) {
	f.add(v, "scheme", "", "`FILES` that describe further systems, separated by commas or one in each of several flags")
}

func (v *importRecordsFlags) run(ctx context.Context, stdout, stderr io.Writer) (err error) {
	if (v.file == "") == (v.from.live.from == "") {
		return usagef("say where the records are: either --file or --from")
	}
	schemes, err := scheme.Builtin().With(v.schemes...)
	if err != nil {
		return fmt.Errorf("--scheme: %w", err)
	}
	hasher, err := v.hashing.hasher()
	if err != nil {
		return err
	}
	stderr = &inTurn{w: stderr}
	opts := importer.Options{DryRun: bool(v.dryRun), Harden: records.Harden(hasher), BatchSize: hardenedAtOnce}
	src, from, err := v.open(ctx, schemes, &opts, stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	return v.withStore(ctx, func(store rushgate.Store) error {
		report, err := v.bring(ctx, src, store, opts, from, stdout, stderr)
		return errors.Join(err, foresee(stdout, &report, hasher))
	})
}

// foresee says after a dry run how long the hardening will take.
func foresee(w io.Writer, r *importer.Report, hasher *password.Hasher) error {
	if !r.DryRun || r.Hardened == 0 {
		return nil
	}
	const batch = 16
	took := time.Duration(r.Hardened) * hasher.Measure(batch) / time.Duration(min(runtime.GOMAXPROCS(0), r.Hardened))
	_, err := fmt.Fprintf(w, "%-10s%d weak hashes will be hardened, which takes some %v on this machine\n", "hardening", r.Hardened,
		took.Round(max(time.Second, took/100).Truncate(time.Second)))
	return err
}

const importSchemesSynopsis = `Usage: rushgate import schemes [flags]

Lists the systems whose records "rushgate import records" takes, by the words that name them in "system", and how what they
have stored is made of a password. A "*" stands for any system: such a hash tells by its form what it is.

With --scheme, those of the files come first, and the vectors in them are tried. --functions lists what their recipes can
be made of.

  rushgate import schemes
  rushgate import schemes --scheme ours.json`

func newImportSchemes() *cobra.Command {
	var files repeated
	var functions toggle
	f := newFlags(importSchemesSynopsis)
	declareSchemes(f, &files)
	f.add(&functions, "functions", "", "list the functions of recipes instead")
	return newCommand("schemes", "list the systems whose accounts can be brought in", f,
		func(_ context.Context, args []string, stdout, _ io.Writer) error {
			if err := f.none(args); err != nil {
				return err
			}
			if functions {
				_, err := io.WriteString(stdout, strings.Join(recipeFunctions(), "\n")+"\n")
				return err
			}
			schemes, err := scheme.Builtin().With(files...)
			if err != nil {
				return fmt.Errorf("--scheme: %w", err)
			}
			_, err = io.WriteString(stdout, listSchemes(schemes))
			return err
		})
}

func recipeFunctions() []string {
	var lines []string
	for _, f := range scheme.Functions() {
		call, about, _ := strings.Cut(f, "\t")
		lines = append(lines, fmt.Sprintf("%-56s %s", call, about))
	}
	return lines
}

func listSchemes(all *scheme.Set) string {
	var b strings.Builder
	for _, f := range all.Families() {
		fmt.Fprintf(&b, "%s\n  %s\n", f.Family, f.About)
		for i := range f.Schemes {
			s := &f.Schemes[i]
			systems := slices.Clone(s.Systems)
			for name, value := range s.When {
				systems = append(systems, "when "+name+" is "+value)
			}
			fmt.Fprintf(&b, "  %-30s %s\n  %-30s %s\n", s.Name, strings.Join(systems, ", "), "", s.Recipe)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
