package auth

import (
	"fmt"
	"testing"
	"time"
)

// What the operator is shown is what the next newcomer is told, and looking does not change that.
func TestOutlook(t *testing.T) {
	c := newRetryClock()
	c.jitter = func(time.Duration) time.Duration { return 0 }
	now := time.Now()
	for i := range 100 {
		for range 2 {
			if got, want := c.outlook(now, 10, 20), 2*time.Second+time.Duration(i)*100*time.Millisecond; got != want {
				t.Fatalf("after %d refusals the outlook is %v, want %v", i, got, want)
			}
		}
		want := c.outlook(now, 10, 20)
		if got := c.Refuse(origin(fmt.Sprintf("192.0.2.%d", i)), now, 10, 20); got != want {
			t.Fatalf("refusal %d is for %v, the outlook was %v", i, got, want)
		}
	}
	if got := c.outlook(now, 0, 1); got != MaxRetryAfter {
		t.Errorf("without any throughput: %v", got)
	}
}
