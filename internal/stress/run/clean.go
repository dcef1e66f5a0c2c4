package run

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
)

const (
	cleanAtOnce  = 200 // accounts per request
	cleanTimeout = 30 * time.Second
)

// Cleaned says what became of accounts that were to be deleted.
type Cleaned struct {
	Deleted int `json:"deleted"` // accounts
	Unknown int `json:"unknown"` // there were none of these names
	Inside  int `json:"inside"`  // and therefore kept
}

// Behind reports whether an admin listener is one of a node behind a target. The error says why that is not known: one
// of them does not answer, or does not say which node it is. Certificates are not looked at: no secret is sent.
func Behind(ctx context.Context, target, admin string) (bool, error) {
	cfg, err := Config{Target: target, Admin: admin, Clients: 1, Sources: 1, InsecureTLS: true}.WithDefaults()
	if err != nil {
		return false, err
	}
	n, _ := newNetwork(&cfg)
	via := n.transport(-1)
	defer via.CloseIdleConnections()
	m, err := fetchMetrics(ctx, via, admin)
	switch {
	case err != nil:
		return false, fmt.Errorf("stress: %w", err)
	case m.Node.Run == "":
		return false, fmt.Errorf("stress: %s does not say which node's admin listener it is", admin)
	}
	seen := seenNodes{network: n}
	ours, err := seen.ours(ctx, m.Node.Run)
	switch {
	case err != nil:
		return false, fmt.Errorf("stress: %w", err)
	case !ours && len(seen.all()) == 0:
		return false, fmt.Errorf("stress: %s does not say which node it is", target)
	}
	return ours, nil
}

// Clean deletes the accounts that runs with a prefix have made, those for measuring the capacity and of runs with a
// crowd included, through the node's admin listener. It stops when as many names in a row as gap are unknown, since a
// run may have let in some players and not others; gap is 1 or more. Players who are inside are kept. progress, if not
// nil, is called after each request. The figures count up to the error.
func Clean(ctx context.Context, admin, prefix string, gap int, progress func(Cleaned)) (Cleaned, error) {
	var sum Cleaned
	if _, err := client.New(admin, client.Options{}); err != nil {
		return sum, invalid("Admin", err)
	}
	if name, err := rushgate.ParseUsername(account(prefix, 0)); err != nil {
		return sum, invalid("Prefix", err)
	} else if name != account(prefix, 0) { // no account has a name like that
		return sum, invalid("Prefix", errors.New("not in canonical form (lower case)"))
	}
	if gap < 1 {
		return sum, invalid("gap", fmt.Errorf("%d is below 1", gap))
	}
	url := strings.TrimRight(admin, "/") + "/accounts/delete"
	for _, p := range []string{prefix, calibrationPrefix(prefix), alonePrefix(prefix), crowdPrefix(prefix)} {
		if _, err := rushgate.ParseUsername(account(p, 0)); err != nil {
			continue // no run with this prefix can have made any
		}
		for i, unknown := 0, 0; unknown < gap && i < 2*MaxClients; i += cleanAtOnce {
			names := make([]string, cleanAtOnce)
			for k := range names {
				names[k] = account(p, i+k)
			}
			c, err := deleteAccounts(ctx, url, names)
			if err != nil {
				return sum, err
			}
			sum.Deleted, sum.Unknown, sum.Inside = sum.Deleted+c.Deleted, sum.Unknown+c.Unknown, sum.Inside+c.Inside
			if unknown += c.Unknown; c.Unknown < len(names) {
				unknown = 0
			}
			if progress != nil {
				progress(sum)
			}
		}
	}
	return sum, nil
}

// deleteAccounts has accounts deleted. The node asks once more before it does, and is told so at once: that they are
// those of stress runs has been decided.
func deleteAccounts(ctx context.Context, url string, names []string) (c Cleaned, err error) {
	ctx, cancel := context.WithTimeout(ctx, cleanTimeout)
	defer cancel()
	status, answer, err := orderDeletion(ctx, url, names, "")
	var asks struct{ Confirm string }
	if err == nil && status == http.StatusConflict && json.Unmarshal(answer, &asks) == nil && asks.Confirm != "" {
		status, answer, err = orderDeletion(ctx, url, names, asks.Confirm)
	}
	switch {
	case err != nil:
		return c, fmt.Errorf("stress: deleting accounts: %w", err)
	case status != http.StatusOK:
		return c, fmt.Errorf("stress: deleting accounts: HTTP status %d: %.200s", status, bytes.TrimSpace(answer))
	}
	if err := json.Unmarshal(answer, &c); err != nil || c.Deleted+c.Unknown+c.Inside != len(names) {
		return c, fmt.Errorf("stress: deleting accounts: %w", errors.New("the answer makes no sense"))
	}
	return c, nil
}

// orderDeletion asks a node once. Nodes of older versions do not ask once more, and know no confirm.
func orderDeletion(
	ctx context.Context, url string, names []string, confirm string,
) (status int, answer []byte, err error) {
	body, err := json.Marshal(struct {
		Names   []string `json:"names"`
		Confirm string   `json:"confirm,omitempty"`
	}{names, confirm})
	if err != nil {
		return 0, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	return resp.StatusCode, answer, err
}
