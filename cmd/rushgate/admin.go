package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

var adminSynopsis = `Usage: rushgate admin COMMAND [flags]

Looks after a node that runs, wherever its players are kept, by its admin listener. It is asked as the operator whose
token is in --admin-token-file ("rushgate operator add" makes operators); on this machine and without any operators it
asks for no token.

  rushgate operator add anna --role all > anna.token      the first token; keep others from reading the file
  export RUSHGATE_ADMIN_TOKEN_FILE=anna.token
  rushgate admin status                          how the node is
  rushgate admin players --search ali            who is inside
  rushgate admin search ali                      accounts whose name begins so
  rushgate admin search --email a@example.org --all
  rushgate admin show alice                      all there is to see of a player
  rushgate admin end-session alice               log the player out; coming back is allowed
  rushgate admin note alice "lost the phone"     for the next operator to read
  rushgate admin lockouts                        who failed too often
  rushgate admin recovery-code alice             for a player who has lost the password
  rushgate admin set-password alice              ask for it twice, and end the sessions
  rushgate admin rename alice alina              end the session, and hold the old name
  rushgate admin mode closed --message "Soon"    who may come in, on all nodes
  rushgate admin ban --range 203.0.113.0/24      keep out an account, a range or a device
  rushgate admin audit                           who has done what

What the operator may do is a matter of the role:

` + explainRoles() + `
What cannot be undone is asked for once more, or takes --yes. Every command has --json for programs, and ends with
status 0 if it was done, 1 if it failed or was refused, 2 if it was not understood. "rushgate admin COMMAND --help" has
examples of each.

`

func newAdmin() *cobra.Command {
	return newGroup("admin", "look after a node that runs: players, accounts, bans, mode, lockouts, audit", adminSynopsis,
		newAdminStatus(),
		newAdminPlayers(),
		newAdminSearch(),
		newAdminShow(),
		newAdminEndSession(),
		newAdminNote(),
		newAdminLockouts(),
		newAdminLift(),
		newAdminRecoveryCode(),
		newAdminSetPassword(),
		newAdminRename(),
		newAdminRemoveFactor(),
		newAdminRemovePasskeys(),
		newAdminDisable(),
		newAdminEnable(),
		newAdminDelete(),
		newAdminMode(),
		newAdminBans(),
		newAdminBan(),
		newAdminUnban(),
		newAdminList(),
		newAdminDrain(),
		newAdminAudit(),
	)
}

// adminFlags are the settings that all admin commands have.
type adminFlags struct {
	url, tokenFile text
	json           toggle
}

// newAdminFlags returns the flags of an admin command, with those that all have.
func newAdminFlags(synopsis string) (*adminFlags, *flags) {
	v, f := &adminFlags{url: defaultAdminURL}, newFlags(synopsis)
	f.add(&v.url, "url", "", "`URL` of the node's admin listener; https unless it is on this machine")
	f.add(&v.tokenFile, "admin-token-file", "", "`FILE` with the operator's token, not readable by everybody").
		def = "none: the node asks for none"
	f.add(&v.json, "json", "", "print what the node answers, as JSON")
	return v, f
}

// node returns the node that a command is for.
func (v *adminFlags) node() (*nodeClient, error) {
	return newNodeClient(string(v.url), string(v.tokenFile))
}

// get reads something of the node, and prints it as JSON if that was asked for, and otherwise as show does.
func get[T any](ctx context.Context, v *adminFlags, path string, w io.Writer, show func(io.Writer, *T) error) error {
	node, err := v.node()
	if err != nil {
		return err
	}
	return printed(v, w, show, func(raw *json.RawMessage) error { return node.get(ctx, path, raw) })
}

// post has the node carry out an order, and prints what it says of it.
func post[T any](
	ctx context.Context, v *adminFlags, path string, in any, w io.Writer, show func(io.Writer, *T) error,
) error {
	node, err := v.node()
	if err != nil {
		return err
	}
	return printed(v, w, show, func(raw *json.RawMessage) error { return node.post(ctx, path, in, raw) })
}

// printed asks, and prints the answer.
func printed[T any](
	v *adminFlags, w io.Writer, show func(io.Writer, *T) error, ask func(*json.RawMessage) error,
) error {
	var raw json.RawMessage
	if err := ask(&raw); err != nil {
		return err
	}
	if v.json {
		_, err := fmt.Fprintf(w, "%s\n", raw)
		return err
	}
	out := new(T)
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("what listens at %s does not answer as a node does", v.url)
	}
	return show(w, out)
}
