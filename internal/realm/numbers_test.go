package realm

import (
	"fmt"
	"slices"
	"testing"

	"github.com/rushgate/rushgate"
)

// A number that no store takes keeps no other from being saved.
func TestStorableNumbers(t *testing.T) {
	many := rushgate.Numbers{"xp": 1, "level": 2, "deaths": 3, "hp": 4}
	for i := range rushgate.MaxNumbers - 3 {
		many[fmt.Sprintf("a%02d", i)] = 7
	}
	for name, tt := range map[string]struct {
		numbers rushgate.Numbers
		dropped []string
	}{
		"good":     {rushgate.Numbers{"gold": 1, "none": 0}, nil},
		"bad":      {rushgate.Numbers{"gold": 1, "Gold": 2, "": 3, "no": 0}, []string{"", "Gold"}},
		"bad 0":    {rushgate.Numbers{"gold": 1, "Gold": 0}, []string{"Gold"}},
		"too many": {many, []string{"a12"}},
	} {
		kept, dropped := storable(tt.numbers)
		if err := kept.Check(); err != nil || !slices.Equal(dropped, tt.dropped) {
			t.Errorf("%s: dropped %q, %v", name, dropped, err)
		}
		for n, v := range tt.numbers {
			if kept[n] != v && !slices.Contains(dropped, n) {
				t.Errorf("%s: %s is %d", name, n, kept[n])
			}
		}
	}
}
