package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"unicode/utf8"

	"github.com/rushgate/rushgate"
)

// proving sends what takes the password of an account and, if that has a second factor, a code: send is called without
// one first, and again with what the player answers to [Options].Code, as at a login.
func (s Session) proving(ctx context.Context, op string, send func(code string) error) error {
	code := ""
	for asked := 0; ; asked++ {
		err := send(code)
		if !errors.Is(err, rushgate.SecondFactor) || s.client.opts.Code == nil || asked == mostCodes {
			return err
		}
		if code, err = s.client.opts.Code(ctx); err != nil {
			return fmt.Errorf("client: %s: %w: %w", op, rushgate.SecondFactor, err)
		}
	}
}

// sendProof sends a request that has shown a proof, and reads a success with one of the given statuses into v, if that
// is not nil. That the proof was wrong is no end of the session.
func (s Session) sendProof(ctx context.Context, r request, v any, statuses ...int) error {
	ans, err := s.call(ctx, &r)
	if err != nil {
		return err
	}
	r.secrets, r.token = append(r.secrets, r.token), ""
	if v != nil {
		return r.decode(ans, v, statuses...)
	}
	if ans.status == http.StatusNoContent || ans.status == http.StatusAccepted {
		return nil
	}
	return r.refusal(ans)
}

// notText is the refusal of what the server could not take for text.
func notText(texts ...string) error {
	for _, s := range texts {
		if !utf8.ValidString(s) {
			return &rushgate.Refusal{Reason: rushgate.MissingCredentials, Cause: errors.New("not UTF-8")}
		}
	}
	return nil
}
