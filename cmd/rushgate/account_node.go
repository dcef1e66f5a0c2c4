package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/admin"
)

const (
	// nodeTimeout bounds one order to a node, which allows itself 15 s.
	nodeTimeout = 20 * time.Second
	// maxNodeAnswer bounds what is read of an answer, in bytes.
	maxNodeAnswer = 64 << 10
)

// nodeLedger gives its orders to a node, by the node's admin listener.
type nodeLedger struct {
	base   string
	token  string
	client *http.Client
}

// newNodeLedger returns the ledger of the node at an address. Hashes of passwords are sent to it, so that is on this
// machine or speaks TLS.
func newNodeLedger(address, tokenFile string) (*nodeLedger, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return nil, usagef("the admin listener's address is not like http://127.0.0.1:9090 or https://node.example:9090")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "":
		return nil, usagef("the admin listener's address has more than a host and a port")
	case u.Scheme == "http" && !onLoopback(u.Hostname()):
		return nil, usagef("the admin listener at %s is not on this machine; that takes https", u.Host)
	}
	n := &nodeLedger{base: u.Scheme + "://" + u.Host, client: &http.Client{
		Timeout:       nodeTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{}, // no proxy
	}}
	if tokenFile == "" {
		return n, nil
	}
	if _, err := admin.LoadToken(tokenFile); err != nil {
		return nil, err
	}
	b, err := os.ReadFile(tokenFile)
	if err != nil {
		return nil, fmt.Errorf("admin token: %w", err)
	}
	n.token = string(bytes.TrimRight(b, "\r\n"))
	return n, nil
}

func onLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// order has the node carry out an order, and reads what it says of it.
func (n *nodeLedger) order(ctx context.Context, what string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.base+"/accounts/"+what, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if n.token != "" {
		req.Header.Set("Authorization", "Bearer "+n.token)
	}
	resp, err := n.client.Do(req)
	if err != nil {
		return fmt.Errorf("the node at %s does not answer: %w", n.base, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxNodeAnswer))
	if err != nil {
		return fmt.Errorf("the node at %s has broken off: %w", n.base, err)
	}
	if resp.StatusCode != http.StatusOK {
		return n.refused(resp.StatusCode, answer)
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("what listens at %s does not answer as a node does", n.base)
	}
	return nil
}

// refused returns why a node has not done as it was told, by the same errors as a ledger of one's own.
func (n *nodeLedger) refused(status int, answer []byte) error {
	var problem struct {
		Error string `json:"error"`
	}
	said := json.Unmarshal(answer, &problem) == nil && problem.Error != ""
	switch {
	case status == http.StatusUnauthorized && n.token == "":
		return fmt.Errorf("the node at %s asks operators for a token; give --admin-token-file", n.base)
	case status == http.StatusUnauthorized:
		return fmt.Errorf("the node at %s has another token than that in --admin-token-file", n.base)
	case !said:
		return fmt.Errorf("the node at %s answers with HTTP status %d", n.base, status)
	}
	for _, known := range []error{account.ErrUnknown, account.ErrTaken, account.ErrInside} {
		if problem.Error == known.Error() {
			return known
		}
	}
	return fmt.Errorf("the node at %s says: %s", n.base, printable(problem.Error))
}

// nodeOrder is an order as the admin listener reads it.
type nodeOrder struct {
	Name         string     `json:"name"`
	PasswordHash string     `json:"password_hash,omitempty"`
	Until        *time.Time `json:"until,omitempty"`
	Reason       string     `json:"reason,omitempty"`
}

func (n *nodeLedger) change(ctx context.Context, what string, in nodeOrder) (out account.Changed, err error) {
	err = n.order(ctx, what, in, &out)
	return out, err
}

func (n *nodeLedger) Create(ctx context.Context, name, hash string) (account.Changed, error) {
	return n.change(ctx, "create", nodeOrder{Name: name, PasswordHash: hash})
}

func (n *nodeLedger) SetPassword(ctx context.Context, name, hash string) (account.Changed, error) {
	return n.change(ctx, "set-password", nodeOrder{Name: name, PasswordHash: hash})
}

func (n *nodeLedger) EndSessions(ctx context.Context, name string) (account.Changed, error) {
	return n.change(ctx, "end-sessions", nodeOrder{Name: name})
}

func (n *nodeLedger) Disable(ctx context.Context, name string, d rushgate.Disabled) (account.Changed, error) {
	in := nodeOrder{Name: name, Reason: d.Reason}
	if !d.Until.Equal(rushgate.Forever()) {
		in.Until = &d.Until
	}
	return n.change(ctx, "disable", in)
}

func (n *nodeLedger) Enable(ctx context.Context, name string) (account.Changed, error) {
	return n.change(ctx, "enable", nodeOrder{Name: name})
}

func (n *nodeLedger) Show(ctx context.Context, name string) (out account.Record, err error) {
	err = n.order(ctx, "show", nodeOrder{Name: name}, &out)
	return out, err
}

func (n *nodeLedger) Delete(ctx context.Context, name string) error {
	in := struct {
		Names []string `json:"names"`
	}{[]string{name}}
	var out struct{ Deleted, Unknown, Inside int }
	switch err := n.order(ctx, "delete", in, &out); {
	case err != nil:
		return err
	case out.Deleted == 1:
		return nil
	case out.Unknown == 1:
		return account.ErrUnknown
	case out.Inside == 1:
		return account.ErrInside
	}
	return errors.New("the node does not say what has become of the account")
}
