package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rushgate/rushgate/internal/importer"
	"github.com/rushgate/rushgate/internal/importer/records"
	"github.com/rushgate/rushgate/internal/importer/scheme"
	"github.com/rushgate/rushgate/internal/importer/source"
	"github.com/rushgate/rushgate/internal/importer/table"
)

// sourceFlags say where another system keeps its accounts.
type sourceFlags struct {
	system, table, with, chars text
	columns, sources           repeated
	live                       liveFlags
}

func (v *sourceFlags) declare(f *flags) {
	f.add(&v.system, "system", "", "`NAME` of the system whose own file it is, as \"rushgate import sources\" has it")
	f.add(&v.table, "table", "", "`NAME` of the table with the accounts, if it is another than usual")
	f.add(&v.columns, "columns", "", "`COLUMNS` with the accounts, if they are others than usual: name=login,password=pwhash")
	f.add(&v.with, "with", "", "`FILE` with a JSON object of values that go into the stored columns of every record")
	f.add(&v.chars, "map", "", "`FILE` that says which columns go into the characters; without it there are accounts only")
	declareSources(f, &v.sources)
	v.live.declare(f)
}

func declareSources(f *flags, v *repeated) {
	f.add(v, "source", "", "`FILES` that say where further systems keep their accounts, as --scheme")
}

// open opens what the flags say the accounts are in, and says for the audit log what that is.
func (v *importRecordsFlags) open(ctx context.Context, schemes *scheme.Set, opts *importer.Options, stderr io.Writer) (
	importer.Source, string, error,
) {
	s := &v.from
	if s.system == "" {
		if s.table != "" || s.with != "" || s.chars != "" || len(s.columns)+len(s.sources) > 0 || s.live.from != "" {
			return nil, "", usagef("--from, --table, --columns, --with, --map and --source need a --system")
		}
		kind, err := table.Sniff(string(v.file), []table.Kind{table.JSONL, table.SQLite, table.SQL})
		if err == nil && kind != table.JSONL {
			return nil, "", usagef("%s is of the kind %s, and no file of records: say by --system what wrote it", v.file, kind)
		}
		src, err := records.Open(string(v.file), schemes)
		return src, "records of other systems, from a file", err
	}
	all, err := source.Builtin().With(s.sources...)
	if err != nil {
		return nil, "", fmt.Errorf("--source: %w", err)
	}
	system, err := s.find(all)
	if err != nil {
		return nil, "", err
	}
	how := source.Options{System: string(s.system), Table: string(s.table)}
	if s.with != "" {
		if how.With, err = source.ReadValues(string(s.with)); err != nil {
			return nil, "", fmt.Errorf("--with: %w", err)
		}
	}
	if s.chars != "" {
		if how.Map, err = source.ReadMap(string(s.chars)); err != nil {
			return nil, "", fmt.Errorf("--map: %w", err)
		}
		opts.OwnWorld = how.Map.Own
		if opts.World, err = readDefinition(ctx, v.world); err != nil {
			return nil, "", err
		}
	}
	if s.live.from != "" {
		src, err := s.live.open(ctx, system, how, schemes, stderr)
		return src, fmt.Sprintf("accounts of %s, from its database", system.Name), err
	}
	players, err := system.Open(ctx, string(v.file), how)
	if err != nil {
		return nil, "", err
	}
	if err := tellMissing(players, "file", stderr); err != nil {
		return nil, "", err
	}
	return records.FromTable(players, schemes), fmt.Sprintf("accounts of %s, from a file", system.Name), nil
}

// tellMissing says which tables there would be in a file or a database, and what of those that there are cannot be
// read.
func tellMissing(players *source.Reader, where string, stderr io.Writer) error {
	for _, name := range players.Missing() {
		_, err := fmt.Fprintf(stderr, "There is no table %s in the %s: what it would say, such as who is banned, is not known.\n",
			name, where)
		if err != nil {
			return err
		}
	}
	for _, what := range players.Unread() {
		if _, err := fmt.Fprintf(stderr, "What cannot be read, nor whose it is: %s.\n", what); err != nil {
			return err
		}
	}
	return nil
}

// find returns the system that is meant: one that is known, or with --columns any.
func (s *sourceFlags) find(all *source.Set) (*source.System, error) {
	if len(s.columns) > 0 {
		system, err := source.OfColumns(string(s.system), string(s.table), s.columns)
		if err != nil {
			return nil, usagef("--columns: %v", err)
		}
		return system, nil
	}
	system, err := all.Find(string(s.system))
	if err != nil {
		return nil, usagef("--system: %v", err)
	}
	return system, nil
}

const importSourcesSynopsis = `Usage: rushgate import sources [flags]

Lists the systems whose own files "rushgate import records --system NAME --file FILE" reads: which kinds of files, which
table, what of it, and what is left out. With --source, those of the files come first. Of those whose kinds have sql, --from
URL in place of --file FILE reads the database itself, of MySQL, MariaDB and PostgreSQL.

A file of any other system is read with --columns, which says what is in which column: of SQLite, of dumps of MySQL and
PostgreSQL (with --table), of CSV with a header, and of JSON.

  rushgate import sources
  rushgate import sources --source ours.json`

func newImportSources() *cobra.Command {
	var files repeated
	f := newFlags(importSourcesSynopsis)
	declareSources(f, &files)
	return newCommand("sources", "list the systems whose own files can be read", f,
		func(_ context.Context, args []string, stdout, _ io.Writer) error {
			if err := f.none(args); err != nil {
				return err
			}
			all, err := source.Builtin().With(files...)
			if err != nil {
				return fmt.Errorf("--source: %w", err)
			}
			_, err = io.WriteString(stdout, listSources(all))
			return err
		})
}

func listSources(all *source.Set) string {
	systems := slices.Clone(all.Systems())
	slices.SortStableFunc(systems, func(a, b *source.System) int { return strings.Compare(a.Name, b.Name) })
	var b strings.Builder
	for _, s := range systems {
		ran := "from its source, not from a database that it wrote"
		if s.Ran != "" {
			ran = "tried with what it wrote: " + s.Ran
		}
		fmt.Fprintf(&b, "%s\n  %s; %s\n", s.Name, s.About, ran)
		for i := range s.Layouts {
			l := &s.Layouts[i]
			fmt.Fprintf(&b, "  %s: %s\n", joinKinds(l), l.Describe())
			if l.Ignored != "" {
				fmt.Fprintf(&b, "    not read: %s\n", l.Ignored)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func joinKinds(l *source.Layout) string {
	var kinds []string
	for _, k := range l.Kinds() {
		kinds = append(kinds, string(k))
	}
	return strings.Join(kinds, ", ")
}
