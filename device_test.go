package rushgate_test

import (
	"strings"
	"testing"

	"github.com/rushgate/rushgate"
)

func TestValidDeviceLabel(t *testing.T) {
	for label, want := range map[string]bool{
		"a": true, "Zoë's phone": true, " ": true, "📱": true,
		strings.Repeat("x", 64): true, strings.Repeat("é", 32): true,
		"": false, strings.Repeat("x", 65): false, strings.Repeat("é", 33): false,
		"a\x00b": false, "a\nb": false, "\x1b[31m": false, "a\x7f": false, "a\u0085": false, "\xff": false, "a\xc3": false,
	} {
		if got := rushgate.ValidDeviceLabel(label); got != want {
			t.Errorf("ValidDeviceLabel(%q) = %v, want %v", label, got, want)
		}
	}
}
