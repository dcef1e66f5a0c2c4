package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
)

var (
	// errRejected says that a malformed request was refused as such.
	errRejected = errors.New("refused as malformed")
	// errAccepted says that it was not.
	errAccepted = errors.New("a malformed request was accepted")
)

// wrongPassword returns a password that is not the right one.
func wrongPassword(right string) string {
	const forgotten = "a-forgotten-password"
	if right == forgotten {
		return forgotten + "-2"
	}
	return forgotten
}

// nonsense are bodies of logins that no server may let in or stumble over.
var nonsense = []string{
	"", "{", "null", "[]", `"login"`, "\xff\xfe\x00", `{"username":"a"}`, `{"username":1,"password":true}`,
	`{"username":"a b\u0000c","password":"xxxxxxxxxxxx"}`, `{"username":"` + strings.Repeat("a", 200<<10) +
		`","password":"xxxxxxxxxxxx"}`,
	strings.Repeat("[", 10_000), "username=a&password=b",
}

// sendNonsense sends a malformed login, once. It returns errRejected if the server says that it is one.
func (p *player) sendNonsense(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, p.run.cfg.TryTimeout)
	defer cancel()
	begin := time.Now()
	a := client.Answer{Try: 1}
	err := func() error {
		url := strings.TrimRight(p.run.cfg.Target, "/") + "/v1/login"
		body := nonsense[p.number%len(nonsense)]
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader([]byte(body)))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := p.line.RoundTrip(req)
		if err != nil {
			return fmt.Errorf("%w: %w", client.ErrNoAnswer, err)
		}
		defer resp.Body.Close()
		a.Status = resp.StatusCode
		return judge(resp.StatusCode)
	}()
	a.Latency, a.Err = time.Since(begin), err
	if refusal, ok := errors.AsType[*rushgate.Refusal](err); ok {
		a.Reason, a.Err = refusal.Reason, nil
	} else if errors.Is(err, errRejected) {
		a.Reason, a.Err = rushgate.MissingCredentials, nil
	} else if errors.Is(err, errAccepted) {
		a.Err = nil
	}
	p.onAnswer(a)
	return err
}

// judge says what a status means as the answer to a malformed request.
func judge(status int) error {
	switch {
	case status == http.StatusServiceUnavailable:
		return &rushgate.Refusal{Reason: rushgate.ServerBusy}
	case status == http.StatusTooManyRequests:
		return &rushgate.Refusal{Reason: rushgate.RateLimited}
	case status >= 500:
		return &rushgate.Refusal{Reason: rushgate.InternalError}
	case status >= 400:
		return errRejected
	}
	return errAccepted
}
