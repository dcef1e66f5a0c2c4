package sqlite

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/rushgate/rushgate"
)

// What stands in the place of a shared value and is none is told, named, and never overwritten.
func TestDamagedSharedValue(t *testing.T) {
	s := newStore(t)
	for _, damage := range []string{`x''`, `zeroblob(262145)`} {
		err := s.do(t.Context(), func(context.Context) error {
			_, err := s.writer.conn.ExecContext(t.Context(), `INSERT OR REPLACE INTO shared VALUES ('keys', `+damage+`)`)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		_, read := s.Shared(t.Context(), "keys")
		_, made := s.SwapShared(t.Context(), "keys", nil, []byte("new"))
		_, again := s.Shared(t.Context(), "keys")
		for _, err := range []error{read, made, again} {
			if !errors.Is(err, rushgate.ErrDamagedRecord) || !strings.Contains(err.Error(), "keys") {
				t.Errorf("%s: error %v, want %v of the name", damage, err, rushgate.ErrDamagedRecord)
			}
		}
	}
}
