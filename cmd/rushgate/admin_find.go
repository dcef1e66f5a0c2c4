package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
)

// traceFlags say what players may have left behind that accounts are looked through for.
type traceFlags struct{ email, address, device text }

func (t *traceFlags) declare(f *flags) {
	f.add(&t.email, "email", "", "`ADDRESS` that the player has proved, the whole of it; takes the role help")
	f.add(&t.address, "address", "", "`ADDRESS` or range that the player came from; takes the role help")
	f.add(&t.device, "device", "", "`TEXT` that is in what the player calls a device; takes the role help")
}

// given returns those that were given, as the node is asked for them.
func (t *traceFlags) given() map[string]string {
	in := map[string]string{}
	for name, value := range map[string]text{"email": t.email, "address": t.address, "device": t.device} {
		if value != "" {
			in[name] = string(value)
		}
	}
	return in
}

// findAccounts has a node look through its accounts: a part of them, or all, with a line of progress after each part.
func findAccounts(
	ctx context.Context, v *adminFlags, in map[string]string, all bool, stdout, stderr io.Writer,
) error {
	node, err := v.node()
	if err != nil {
		return err
	}
	found, looked := json.RawMessage(nil), 0
	for {
		if err := node.post(ctx, "/accounts/find", in, &found); err != nil {
			return err
		}
		var page struct {
			Cursor string `json:"cursor"`
			Looked int    `json:"looked"`
		}
		if err := json.Unmarshal(found, &page); err != nil {
			return fmt.Errorf("what listens at %s does not answer as a node does", v.url)
		}
		looked += page.Looked
		fmt.Fprintf(stderr, "%d accounts looked at\n", looked)
		if err := writeFound(v, stdout, found, all && page.Cursor != ""); err != nil || !all || page.Cursor == "" {
			return err
		}
		in["cursor"] = page.Cursor
	}
}

// writeFound prints a page; of one that another follows by itself, only what it has found.
func writeFound(v *adminFlags, w io.Writer, raw json.RawMessage, goesOn bool) error {
	if v.json {
		_, err := fmt.Fprintf(w, "%s\n", raw)
		return err
	}
	var page foundAccounts
	if err := json.Unmarshal(raw, &page); err != nil {
		return fmt.Errorf("what listens at %s does not answer as a node does", v.url)
	}
	if goesOn {
		if page.Cursor = ""; len(page.Accounts) == 0 {
			return nil
		}
	}
	return writeAccounts(w, &page)
}
