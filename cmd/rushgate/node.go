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
	"strings"
	"time"

	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/admin"
	"github.com/rushgate/rushgate/internal/operator"
)

const (
	// nodeTimeout bounds one order to a node, which allows itself 15 s.
	nodeTimeout = 20 * time.Second
	// maxNodeAnswer bounds what is read of an answer, in bytes: a page of 500 entries of the audit log, of which each has
	// less than 2 KiB, is the longest.
	maxNodeAnswer = 1 << 20
)

// nodeClient gives orders to a node, by the node's admin listener.
type nodeClient struct {
	base   string
	token  string
	client *http.Client
}

// newNodeClient returns a client of the node at an address. Tokens, and hashes of passwords, are sent to it, so that is on
// this machine or speaks TLS.
func newNodeClient(address, tokenFile string) (*nodeClient, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return nil, usagef("the admin listener's address is not like http://127.0.0.1:9090 or https://node.example:9090")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "":
		return nil, usagef("the admin listener's address has more than a host and a port")
	case u.Scheme == "http" && !onLoopback(u.Hostname()):
		return nil, usagef("the admin listener at %s is not on this machine; that takes https", u.Host)
	}
	n := &nodeClient{base: u.Scheme + "://" + u.Host, client: &http.Client{
		Timeout:       nodeTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{}, // no proxy
	}}
	if tokenFile == "" {
		return n, nil
	}
	if n.token, err = admin.ReadToken(tokenFile); err != nil {
		return nil, err
	}
	return n, nil
}

func onLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// unconfirmed is the error for an order that has to be given once more, with what confirms it.
type unconfirmed struct{ would, confirm string }

func (u *unconfirmed) Error() string { return "this would " + u.would + ", and has to be confirmed" }

// get reads what is at a path of the node.
func (n *nodeClient) get(ctx context.Context, path string, out any) error {
	return n.do(ctx, http.MethodGet, path, nil, out)
}

// post has the node carry out an order, and reads what it says of it.
func (n *nodeClient) post(ctx context.Context, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return n.do(ctx, http.MethodPost, path, body, out)
}

// nothing is the body of an order that says everything by its path, and confirmation that of one that is confirmed.
type nothing struct{}

type confirmation struct {
	Confirm string `json:"confirm"`
}

// postTwice has the node carry out what cannot be undone, which its caller has asked the operator about.
func (n *nodeClient) postTwice(ctx context.Context, path string, out any) error {
	err := n.post(ctx, path, nothing{}, out) // a node of an older version may do at once what newer ones ask twice for
	if q, ok := errors.AsType[*unconfirmed](err); ok {
		return n.post(ctx, path, confirmation{q.confirm}, out)
	}
	return err
}

func (n *nodeClient) do(ctx context.Context, method, path string, body []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, n.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
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
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusAccepted {
		return n.refused(resp.StatusCode, answer)
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("what listens at %s does not answer as a node does", n.base)
	}
	return nil
}

// refused returns why a node has not done as it was told, by the same errors as a store of one's own.
func (n *nodeClient) refused(status int, answer []byte) error {
	var problem struct{ Error, Would, Confirm string }
	said := json.Unmarshal(answer, &problem) == nil && problem.Error != ""
	switch {
	case status == http.StatusUnauthorized && n.token == "":
		return fmt.Errorf("the node at %s asks operators for a token; give --admin-token-file (\"rushgate operator add\" "+
			"makes operators)", n.base)
	case status == http.StatusUnauthorized:
		return fmt.Errorf("the node at %s knows no operator with the token in --admin-token-file; \"rushgate operator "+
			"token NAME\" makes another", n.base)
	case !said:
		return fmt.Errorf("the node at %s answers with HTTP status %d", n.base, status)
	case problem.Confirm != "":
		return &unconfirmed{printable(problem.Would), problem.Confirm}
	}
	for _, known := range []error{
		account.ErrUnknown, account.ErrTaken, account.ErrInside, operator.ErrUnknown, operator.ErrTaken, operator.ErrLast,
	} {
		if first, _, _ := strings.Cut(problem.Error, ";"); first == known.Error() { // which a way out may follow
			return known
		}
	}
	return fmt.Errorf("the node at %s says: %s", n.base, spoken(problem.Error))
}
