package admin

import (
	"fmt"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

// However many addresses fail, only so many are remembered; those whose minute is over go first.
func TestFailuresAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, token := newLogins(true), &access{token: new(Token)}
		fail := func(i int) {
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = fmt.Sprintf("[2001:db8:%x::1]:1234", i)
			if _, _, right := l.try(token, "guess", r); right {
				t.Fatal("a guess is right")
			}
		}
		for i := range 3 * maxAddresses {
			fail(i)
			if len(l.failures) > maxAddresses {
				t.Fatalf("%d addresses are remembered", len(l.failures))
			}
		}
		time.Sleep(failureWindow)
		if fail(3 * maxAddresses); len(l.failures) != 1 {
			t.Errorf("%d addresses are remembered for longer than a minute", len(l.failures))
		}
	})
}
