package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/rushgate/rushgate/internal/filelock"
	"github.com/rushgate/rushgate/server"
)

const keySynopsis = `Usage: rushgate key COMMAND [flags]

Looks after the keys of the realtime channel in a data folder. With a key a node seals the connect token that a player
gets at login, and opens it again when the player connects; whoever has the key can be any player.

`

var keyCommands = []command{
	{"rotate", "put a new key in place of the present one", keyRotate},
}

// key runs one of the keyCommands.
func key(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	return group{keySynopsis, "key", keyCommands}.run(ctx, args, stdout, stderr)
}

func keyRotate(_ context.Context, args []string, stdout, _ io.Writer) error {
	dir := text(server.DefaultDataDir)
	f := newFlags(`Usage: rushgate key rotate [flags]

Puts a new key first in the data folder's file ` + server.KeysName + ` and keeps the one before it, so that tokens given out a
moment ago still work; older ones are dropped. A node reads the file when it starts, so stop it first and start it
again. Connect tokens last 30 seconds: if a key may have become known, rotate twice, and it opens nothing any more.

  rushgate key rotate
  rushgate key rotate --data /var/lib/rushgate`)
	f.add(&dir, "data", "", "`DIR` with the keys: what the node is started with")
	if err := f.parse(args, stdout); err != nil {
		return err
	}
	release, err := holdFolder(string(dir))
	if err != nil {
		return err
	}
	if err := errors.Join(server.RotateKeys(string(dir)), release()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "a new key is first in %s, the one before it still opens tokens; the node has to be restarted to use it\n",
		filepath.Join(string(dir), server.KeysName))
	return err
}

// holdFolder keeps nodes off a data folder until release is called. The lock is that of the database, which a node
// takes that has its players elsewhere, too.
func holdFolder(dir string) (release func() error, err error) {
	if _, err := os.Stat(filepath.Join(dir, server.KeysName)); err != nil {
		return nil, fmt.Errorf("no node has run on %s, is --data right? (%w)", dir, err)
	}
	lock, err := filelock.Acquire(filepath.Join(dir, server.DatabaseName+".lock"))
	if errors.Is(err, filelock.ErrLocked) {
		return nil, fmt.Errorf("a node is using %s; stop it first (%w)", dir, err)
	}
	if err != nil {
		return nil, err
	}
	return lock.Close, nil
}
