package account_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
)

// What an operator reads of an order that cannot be carried out is one sentence about what is wrong with it.
func TestRefusedOrdersSayWhatIsWrong(t *testing.T) {
	l, _ := newLedger(t)
	owner(t, l, "dora")
	past := rushgate.Disabled{Until: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)}
	_, old := l.Disable(t.Context(), "dora", account.Ban{Disabled: past})
	_, long := l.Disable(t.Context(), "dora", account.Ban{
		Disabled: rushgate.Disabled{Until: rushgate.Forever(), Reason: strings.Repeat("x", 300)},
	})
	_, hash := l.SetPassword(t.Context(), "dora", "secret")
	for want, err := range map[string]error{
		"the end, 1999-01-01T00:00:00Z, is not in the future": old,
		"the reason has 300 bytes, more than 256":             long,
		"that is no password hash of this version":            hash,
	} {
		if !errors.Is(err, account.ErrInvalid) || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
