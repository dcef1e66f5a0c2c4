package main

import (
	"context"
	"errors"
	"strconv"

	"github.com/rushgate/rushgate/internal/audit"
	"github.com/rushgate/rushgate/internal/operator"
	"github.com/rushgate/rushgate/store/sqlite"
)

// announce has the audit log say that the players are about to be copied: in the database itself, which is not kept from
// a node that starts meanwhile, or by the node that has it. It returns the entry, 0 if there is none. The copy is made
// in any case: who can read the file can do without this command.
func (v *backupFlags) announce(ctx context.Context, database string) (begun uint64, err error) {
	e := audit.Entry{What: "store.backup", Detail: "begun"}
	begun, err = v.note(ctx, database, e)
	if !errors.Is(err, sqlite.ErrLocked) {
		return begun, err
	}
	return v.tellNode(ctx, "/backups", nothing{})
}

// conclude has the audit log say what came of a copy that an entry says was begun.
func (v *backupFlags) conclude(ctx context.Context, database string, begun uint64, failed error) error {
	if begun == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), outcomeTimeout)
	defer cancel()
	e := audit.Entry{What: "store.backup", Of: begun, Outcome: "done"}
	if failed != nil {
		e.Outcome = "failed"
	}
	_, err := v.note(ctx, database, e)
	if errors.Is(err, sqlite.ErrLocked) {
		path := "/backups/" + strconv.FormatUint(begun, 10) + "/end"
		_, err = v.tellNode(ctx, path, map[string]string{"outcome": e.Outcome})
	}
	return err
}

// note writes an entry into the audit log of the database, if opening that does not change what it is.
func (v *backupFlags) note(ctx context.Context, database string, e audit.Entry) (seq uint64, err error) {
	current, err := sqlite.Current(ctx, database)
	switch {
	case err != nil:
		return 0, err
	case !current:
		return 0, errors.New("the database is of an earlier version, and is left so")
	}
	e.Who = operator.Console
	err = withSQLite(ctx, string(v.data), false, func(store *sqlite.Store) (err error) {
		seq, err = audit.NewLog(store).Append(ctx, e)
		return err
	})
	return seq, err
}

// tellNode has the node on the data folder write down something about a copy, and returns the entry of its beginning. A
// node of an earlier version has none.
func (v *backupFlags) tellNode(ctx context.Context, path string, in any) (begun uint64, err error) {
	address, err := runningNode(string(v.data))
	if err != nil {
		return 0, err
	}
	node, err := newNodeClient(address, string(v.tokenFile))
	if err != nil {
		return 0, err
	}
	var out struct{ Entry uint64 }
	err = node.post(ctx, path, in, &out)
	return out.Entry, err
}
