package account

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
)

// A code lives by the clock for no longer than it is to, whichever way that is set: one that is set ahead ends it, one
// that is set back does not keep it good for a year. What counts codes within an hour goes on.
func TestCodesOutliveNoStepOfTheClock(t *testing.T) {
	const year = 365 * 24 * time.Hour
	for step, good := range map[time.Duration]bool{
		0: true, time.Minute: true, -time.Minute: true, time.Hour: false, -time.Hour: false, year: false, -year: false,
	} {
		synctest.Test(t, func(t *testing.T) {
			a := &rushgate.Account{ID: 7}
			var c challenge
			code, err := c.renew(a, Recovery, CodeTTL, true)
			if err != nil {
				t.Fatal(err)
			}
			// The bubble's clock cannot be set, so that what was stored is moved the other way.
			c.At, c.Until, c.Since = moved(c.At, step), moved(c.Until, step), moved(c.Since, step)
			tried := c
			if right := tried.try(a, Recovery, code); right != good {
				t.Errorf("after a step by %v the code is good: %v", step, right)
			}
			if code, err = c.renew(a, Recovery, CodeTTL, true); err != nil || !c.try(a, Recovery, code) {
				t.Errorf("after a step by %v another code: %v", step, err)
			}
		})
	}
}

// moved is a time in milliseconds as a clock sees it that was set by a step.
func moved(at int64, step time.Duration) int64 { return at - step.Milliseconds() }

// Codes of nodes that do not say yet when they have made one are good.
func TestCodesOfOlderNodes(t *testing.T) {
	a := &rushgate.Account{ID: 7}
	var c challenge
	code, err := c.renew(a, Recovery, CodeTTL, true)
	if err != nil {
		t.Fatal(err)
	}
	if c.At = 0; !c.try(a, Recovery, code) {
		t.Error("it is refused")
	}
}
