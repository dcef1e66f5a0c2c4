package admin

import (
	"context"
	"net/http"
	"time"
)

// RecoveryCode is a code for an operator to hand out to a player who has lost the password. Its names in JSON are part
// of the operator's listener. The code is a secret: it goes to no log.
type RecoveryCode struct {
	Code      string    `json:"code"`
	ExpiresAt time.Time `json:"expires_at"`
}

// recoveryCode makes such a code. The audit log hears who had it made for whom, and not the code.
func (a *accounts) recoveryCode(w http.ResponseWriter, r *http.Request) {
	a.simple(w, r, "account.recovery-code", func(ctx context.Context, name string) (any, error) {
		code, expires, err := a.ledger.RecoveryCode(ctx, name)
		return RecoveryCode{code, expires.UTC()}, err
	})
}
