package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/rushgate/rushgate/internal/audit"
	"github.com/rushgate/rushgate/server"
	"github.com/rushgate/rushgate/store/sqlite"
)

// backupFlags are the settings of backup and restore.
type backupFlags struct {
	data      text
	db        choice
	tokenFile text
	yes       toggle
}

func newBackupFlags() *backupFlags {
	return &backupFlags{data: server.DefaultDataDir, db: choice{"sqlite", []string{"sqlite", "redis", "memory"}}}
}

func (v *backupFlags) declare(f *flags) {
	f.add(&v.data, "data", "", "`DIR` with the database: what the node is started with")
	f.add(&v.db, "db", "MMORPG_DB_BACKEND", "`STORE` that keeps the players; only sqlite is backed up by this command")
	f.addConfig()
}

// file returns the one file that the command line has to name, and the database.
func (v *backupFlags) file(args []string) (file, database string, err error) {
	switch {
	case v.db.value == "redis":
		return "", "", usagef("players in Redis are backed up by Redis itself, with BGSAVE or its append-only file; see " +
			"\"Backups\" in docs/operations.md")
	case v.db.value == "memory":
		return "", "", usagef("a node with --db memory keeps nothing that could be backed up")
	case len(args) == 0:
		return "", "", usagef("name the file")
	case len(args) > 1:
		return "", "", usagef("unexpected argument after the file: %s", quote(args[1]))
	}
	return args[0], filepath.Join(string(v.data), server.DatabaseName), nil
}

func newBackup() *cobra.Command {
	v := newBackupFlags()
	f := newFlags(`Usage: rushgate backup FILE [flags]

Copies the players of a node on SQLite to FILE, which must not be there yet, also while the node runs: as they are at one
moment, checked, and on disk when the command ends. "rushgate restore" puts such a copy back.

Keep FILE as safe as the node's own data: it has what the passwords are checked against. The data folder has keys besides,
which a node makes anew when they are missing, but for those of OPAQUE (opaque.key): copy that file, too, to another place. The
pepper, if there is one, is in neither.

  rushgate backup players-$(date +%F).db
  rushgate backup /var/backups/players.db --data /var/lib/rushgate`)
	v.declare(f)
	f.add(&v.tokenFile, "admin-token-file", "", "`FILE` with the token that the node asks operators for, so that its audit log "+
		"can be told of the copy")
	return newCommand("backup", "copy the players of a node on SQLite to a file, also while it runs", f, v.backup)
}

func (v *backupFlags) backup(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	to, database, err := v.file(args)
	if err != nil {
		return err
	}
	progress, end := showCopying(stderr)
	var begun uint64
	if _, e := os.Lstat(to); errors.Is(e, fs.ErrNotExist) { // or nothing is copied
		begun, err = v.announce(ctx, database)
	}
	unheard := err
	err = sqlite.Backup(ctx, database, to, progress)
	end()
	if late := v.conclude(ctx, database, begun, err); late != nil {
		fmt.Fprintf(stderr, "the audit log has not heard what came of this copy: %v\n", late)
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%s is there already, and is left as it is; name another file", to)
	case errors.Is(err, sqlite.ErrMissing):
		return fmt.Errorf("there are no players in %s, is --data right? (%w)", v.data, err)
	case err != nil:
		return err
	}
	info, err := os.Stat(to)
	if err != nil {
		return err
	}
	if unheard != nil {
		fmt.Fprintf(stderr, "the audit log has not heard of this copy: %v\n", unheard)
	}
	_, err = fmt.Fprintf(stdout, "backed up %s to %s, %d bytes\n", database, to, info.Size())
	return err
}

func newRestore() *cobra.Command {
	v := newBackupFlags()
	f := newFlags(`Usage: rushgate restore FILE [flags]

Puts what "rushgate backup" has written to FILE in the place of the players in --data, on which no node may run. What was
there stays beside it, under a name with "before" in it, until you delete it; FILE stays, too. On a terminal the command asks
first; otherwise --yes is needed.

Whatever players did after the backup is gone from the node: accounts, levels, new passwords, bans.

  rushgate restore players-2026-11-29.db
  rushgate restore /var/backups/players.db --data /var/lib/rushgate --yes`)
	v.declare(f)
	f.add(&v.yes, "yes", "", "do not ask")
	return newCommand("restore", "put a backup in the place of the players of a node on SQLite", f, v.restore)
}

func (v *backupFlags) restore(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	from, database, err := v.file(args)
	if err != nil {
		return err
	}
	if _, err := os.Stat(from); err != nil {
		return err
	}
	if err := v.agree(ctx, from, database, newConsole(os.Stdin, stderr)); err != nil {
		return err
	}
	before := lookInto(string(v.data))
	if err := os.MkdirAll(string(v.data), 0o700); err != nil {
		return errors.Join(err, before.restore())
	}
	progress, end := showCopying(stderr)
	aside, err := sqlite.Restore(ctx, from, database, progress)
	end()
	if err != nil {
		err = errors.Join(err, before.restore())
	}
	switch {
	case errors.Is(err, sqlite.ErrLocked):
		return fmt.Errorf("a node runs on %s; stop it first (%w)", v.data, err)
	case err != nil && aside != "":
		return fmt.Errorf("%w; what was there is %s", err, aside)
	case err != nil:
		return err
	}
	detail := "from " + filepath.Base(from)
	if aside != "" {
		detail += "; what was there is " + filepath.Base(aside)
	}
	e := audit.Entry{What: "store.restore", Detail: detail, Outcome: "done"}
	if _, err := v.note(ctx, database, e); err != nil {
		fmt.Fprintf(stderr, "the audit log has not heard of this: %v\n", err)
	}
	if _, err := fmt.Fprintf(stdout, "restored %s from %s\n", database, from); err != nil || aside == "" {
		return err
	}
	_, err = fmt.Fprintf(stdout, "what was there before is %s\n", aside)
	return err
}

// agree asks whether to go on, unless there is nothing to lose.
func (v *backupFlags) agree(ctx context.Context, from, database string, in *console) error {
	if _, err := os.Stat(database); bool(v.yes) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if !in.terminal {
		return usagef("there is no terminal to ask on; give --yes to restore without being asked")
	}
	typed, err := in.ask(ctx, "This puts "+from+" in the place of "+database+". Type yes to go on: ")
	if err != nil {
		return err
	}
	if typed != "yes" {
		return errors.New("nothing was restored")
	}
	return nil
}

// showCopying shows on a terminal how far a copy is, until end is called.
func showCopying(w io.Writer) (progress sqlite.Progress, end func()) {
	if !isTerminal(w) {
		return nil, func() {}
	}
	progress = func(written, size int64) {
		fmt.Fprintf(w, "\rcopying: %d of about %d MB\x1b[K", written>>20, size>>20)
	}
	return progress, func() { fmt.Fprint(w, "\r\x1b[K") }
}
