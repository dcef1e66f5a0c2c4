package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/rushgate/rushgate/server"
)

const keyOpaqueSynopsis = `Usage: rushgate key opaque COMMAND FILE

Looks after the keys of OPAQUE in a file, the one of --opaque-key-file or the data folder's ` + server.OpaqueKeysName + `. Who loses it loses the
passwords of all players who are registered with it, so keep a copy, apart from copies of the players.

To put a new key to use, "prepare" it, wait until all nodes have the file and have read it, a few seconds each, and then
"use" it. Those who are registered with a key before go on with it, until a change of the password. When "show" counts no
account with a key that is not in use any more, its line can be removed from the file; before that, its players would
lose their passwords.

`

func newKeyOpaque() *cobra.Command {
	return newGroup("opaque", "make and change the keys of OPAQUE", keyOpaqueSynopsis,
		newKeyOfOpaque("make", "make a file with a new key", `Makes FILE with a new key, for nodes that share it. A node makes one by itself where it is not told of a file.`,
			"/etc/rushgate/opaque.key", "a new key", server.MakeOpaqueKeys),
		newKeyOfOpaque("prepare", "add a new key that is not in use yet", `Adds a new key to FILE. Nothing is made with it yet, so that all nodes can know it before one of them uses it.`,
			"rushgate-data/"+server.OpaqueKeysName, "a new key, which is not in use yet,", server.PrepareOpaqueKey),
		newKeyOfOpaque("use", "put the key that was prepared to use", `Puts the key of FILE to use that was prepared last, for those who register or change the password from then on. Where
none is prepared, nothing changes: no key of before comes back into use.`,
			"rushgate-data/"+server.OpaqueKeysName, "the key in use", server.UseOpaqueKey),
		newKeyOpaqueShow())
}

// newKeyOfOpaque returns a command that does something to a file with keys of OPAQUE, and says which key it was about.
func newKeyOfOpaque(
	name, short, long, example, said string, do func(path string) (id string, err error),
) *cobra.Command {
	f := newFlags(fmt.Sprintf("Usage: rushgate key opaque %s FILE\n\n%s\n\n  rushgate key opaque %[1]s %[3]s", name, long, example))
	return newCommand(name, short, f, func(_ context.Context, args []string, stdout, _ io.Writer) error {
		if len(args) != 1 {
			return usagef("want one argument, the file with the keys")
		}
		id, err := do(args[0])
		if errors.Is(err, server.ErrNoPreparedKey) {
			_, err = fmt.Fprintf(stdout, "the key in use is %s, in %s, as before: no other is prepared\n", id, args[0])
			return err
		}
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(stdout, "%s is %s, in %s\n", said, id, args[0])
		return err
	})
}
