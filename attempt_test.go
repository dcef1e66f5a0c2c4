package rushgate

import (
	"strings"
	"testing"
)

func TestValidAttempt(t *testing.T) {
	for s, want := range map[string]bool{
		"a": true, "A-1_x": true, strings.Repeat("x", MaxAttemptLen): true,
		"": false, "a b": false, "a/b": false, "é": false, "a\n": false, strings.Repeat("x", MaxAttemptLen+1): false,
	} {
		if got := ValidAttempt(s); got != want {
			t.Errorf("%q: %v", s, got)
		}
	}
}
