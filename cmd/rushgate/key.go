package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/rushgate/rushgate/server"
)

const keySynopsis = `Usage: rushgate key COMMAND [flags]

Looks after the keys of the realtime channel in a data folder. With a key a node seals the connect token that a player
gets at login, and opens it again when the player connects; with the key anyone can be any player. The keys of OPAQUE are
in a file of their own.

`

func newKey() *cobra.Command {
	return newGroup("key", "change the keys of the realtime channel and of OPAQUE", keySynopsis, newKeyRotate(), newKeyOpaque())
}

func newKeyRotate() *cobra.Command {
	dir := text(server.DefaultDataDir)
	f := newFlags(`Usage: rushgate key rotate [flags]

Puts a new key first in the data folder's file ` + server.KeysName + ` and keeps the one before it, so that tokens given out a
moment ago still work; older ones are dropped. A node that runs notices within a few seconds. Connect tokens last 30
seconds: if a key may have become known, rotate twice, and it opens nothing any more.

  rushgate key rotate
  rushgate key rotate --data /var/lib/rushgate`)
	f.add(&dir, "data", "", "`DIR` with the keys: what the node is started with")
	f.addConfig()
	return newCommand("rotate", "put a new key in place of the present one", f,
		func(_ context.Context, args []string, stdout, _ io.Writer) error {
			if err := f.none(args); err != nil {
				return err
			}
			return rotate(dir, stdout)
		})
}

// rotate puts a new key first in the data folder.
func rotate(dir text, stdout io.Writer) error {
	path := filepath.Join(string(dir), server.KeysName)
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("no node has run on %s, is --data right? (%w)", dir, err)
	}
	if err := server.RotateKeys(string(dir)); err != nil {
		return err
	}
	_, err := fmt.Fprintf(stdout, "a new key is first in %s, the one before it still opens tokens; a node that runs goes by "+
		"it within a few seconds\n", path)
	return err
}
