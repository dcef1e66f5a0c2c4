package adapter

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// ErrUnasked is wrapped by the errors of an [Operator] of a kind of server, or without a token, that cannot be asked.
var ErrUnasked = errors.New("cannot be asked for its accounts")

// Operator asks a server what only its operator may know. Its methods may be called from many goroutines.
type Operator struct {
	cfg  Config
	base string
	next http.RoundTripper
}

// NewOperator returns what asks the server that cfg describes, at the base URL of its API, over next. The error names
// the field of cfg that is wrong.
func NewOperator(cfg Config, base string, next http.RoundTripper) (*Operator, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Operator{cfg: cfg, base: strings.TrimRight(base, "/"), next: next}, nil
}

// check returns why a server with this configuration cannot be asked, nil if it can.
func (o *Operator) check() error {
	switch {
	case o.cfg.Kind != PocketBase:
		return fmt.Errorf("%s %w by this tool", o.cfg.Kind, ErrUnasked)
	case o.cfg.OperatorToken == "":
		return fmt.Errorf("%s %w without a superuser's token", o.cfg.Kind, ErrUnasked)
	}
	return nil
}

// Accounts returns how many accounts the server has whose names begin with a prefix, by its own count.
func (o *Operator) Accounts(ctx context.Context, prefix string) (int, error) {
	if err := o.check(); err != nil {
		return 0, err
	}
	rep, err := o.get(ctx, "/api/collections/"+o.cfg.Collection+"/records", url.Values{
		"perPage": {"1"}, "fields": {"id"}, "filter": {fmt.Sprintf("email ~ %q", prefix+"%")},
	})
	if err != nil {
		return 0, err
	}
	var body struct {
		Total *int `json:"totalItems"`
	}
	if rep.status != http.StatusOK || !rep.decode(&body) || body.Total == nil || *body.Total < 0 {
		return 0, fmt.Errorf("asking for the accounts: HTTP status %d without a number of them", rep.status)
	}
	return *body.Total, nil
}

// defaultBcryptCost is that of PocketBase where a collection has none of its own.
const defaultBcryptCost = 10

// Hash returns how the server hashes passwords, in some words.
func (o *Operator) Hash(ctx context.Context) (string, error) {
	if err := o.check(); err != nil {
		return "", err
	}
	rep, err := o.get(ctx, "/api/collections/"+o.cfg.Collection, nil)
	if err != nil {
		return "", err
	}
	var body struct {
		Fields []struct {
			Name string `json:"name"`
			Cost *int   `json:"cost"`
		} `json:"fields"`
	}
	if rep.status != http.StatusOK || !rep.decode(&body) {
		return "", fmt.Errorf("asking for the collection: HTTP status %d", rep.status)
	}
	for _, f := range body.Fields {
		if f.Name == "password" && f.Cost != nil {
			cost := *f.Cost
			if cost == 0 {
				cost = defaultBcryptCost
			}
			return fmt.Sprintf("bcrypt, cost %d", cost), nil
		}
	}
	return "", errors.New("the collection has no password")
}

func (o *Operator) get(ctx context.Context, path string, query url.Values) (reply, error) {
	hr, err := http.NewRequestWithContext(ctx, http.MethodGet, o.base, nil)
	if err != nil {
		return reply{}, fmt.Errorf("adapter: %w", err)
	}
	c := &call{original: hr, next: o.next, base: strings.TrimRight(hr.URL.Path, "/")}
	return c.send(request{
		method: http.MethodGet, path: path, query: query, header: map[string]string{"Authorization": o.cfg.OperatorToken},
	})
}
