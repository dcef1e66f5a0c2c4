package main

import (
	"context"
	"net/url"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/server"
)

// nodeLedger is the ledger of a node.
type nodeLedger struct{ *nodeClient }

// accountPath is where a node has an account, and what can be done with it.
func accountPath(name, what string) string {
	path := "/accounts/" + url.PathEscape(name)
	if what != "" {
		path += "/" + what
	}
	return path
}

func (n *nodeLedger) change(ctx context.Context, name, what string, in any) (out account.Changed, err error) {
	err = n.post(ctx, accountPath(name, what), in, &out)
	return out, err
}

// hashOrder is an order that brings a hash of package password.
type hashOrder struct {
	Name string `json:"name,omitempty"`
	Hash string `json:"password_hash"`
}

// RefusesPasswords asks the node what it does with OPAQUE.
func (n *nodeClient) RefusesPasswords(ctx context.Context) (bool, error) {
	var says struct {
		Node struct{ Opaque server.OpaqueMode } // nothing from a node of an older version
	}
	err := n.get(ctx, "/metrics.json", &says)
	return says.Node.Opaque == server.OpaqueOnly, err
}

// Create makes an account.
func (n *nodeLedger) Create(ctx context.Context, name, hash string) (out account.Changed, err error) {
	err = n.post(ctx, "/accounts", hashOrder{name, hash}, &out)
	return out, err
}

// SetPassword gives an account another hash.
func (n *nodeLedger) SetPassword(ctx context.Context, name, hash string) (account.Changed, error) {
	return n.change(ctx, name, "password", hashOrder{Hash: hash})
}

// EndSessions ends the sessions of an account.
func (n *nodeLedger) EndSessions(ctx context.Context, name string) (account.Changed, error) {
	return n.change(ctx, name, "end-sessions", nothing{})
}

// Disable keeps an account out.
func (n *nodeLedger) Disable(ctx context.Context, name string, b account.Ban) (account.Changed, error) {
	in := struct {
		Until  *time.Time `json:"until,omitempty"`
		Reason string     `json:"reason,omitempty"`
		Note   string     `json:"note,omitempty"`
	}{Reason: b.Reason, Note: b.Note}
	if !b.Until.Equal(rushgate.Forever()) {
		in.Until = &b.Until
	}
	return n.change(ctx, name, "disable", in)
}

// Enable lets an account in again.
func (n *nodeLedger) Enable(ctx context.Context, name string) (account.Changed, error) {
	return n.change(ctx, name, "enable", nothing{})
}

// Show returns what may be shown of an account.
func (n *nodeLedger) Show(ctx context.Context, name string) (account.Record, error) {
	var page struct{ Account account.Record }
	err := n.get(ctx, accountPath(name, ""), &page)
	return page.Account, err
}

// Delete removes an account, which its caller has asked the operator about.
func (n *nodeLedger) Delete(ctx context.Context, name string) error {
	var out account.Changed
	return n.postTwice(ctx, accountPath(name, "delete"), &out)
}
