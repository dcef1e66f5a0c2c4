package realm

import (
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/packed"
)

// A process whose characters still had four numbers of its own hands them over to one of today.
func TestNumbersOfAnOlderProcess(t *testing.T) {
	hp, xp, level, deaths := int64(-3), int64(1240), int64(3), int64(0)
	b := packed.Append(nil, func(c *packed.Codec) {
		for _, v := range []*int64{&hp, &xp, &level, &deaths} {
			c.Int64(v)
		}
	})
	want := rushgate.Numbers{"hp": -3, "xp": 1240, "level": 3}
	var got rushgate.Numbers
	if err := packed.Parse(b, func(c *packed.Codec) { describeNumbers(c, &got, 1) }); err != nil || !got.Equal(want) {
		t.Errorf("read as %v, %v; want %v", got, err, want)
	}
}

func TestNumbersAreHandedOver(t *testing.T) {
	for _, want := range []rushgate.Numbers{nil, {"zero": 0}, {"gold": 5, "hp": -1}} {
		b := packed.Append(nil, func(c *packed.Codec) { describeNumbers(c, &want, stateVersion) })
		got := rushgate.Numbers{"before": 1}
		err := packed.Parse(b, func(c *packed.Codec) { describeNumbers(c, &got, stateVersion) })
		if err != nil || !got.Equal(want) {
			t.Errorf("%v is read as %v, %v", want, got, err)
		}
	}
	bad := []rushgate.Numbers{{"Gold": 1}, {"": 1}}
	for _, n := range bad {
		b := packed.Append(nil, func(c *packed.Codec) { describeNumbers(c, &n, stateVersion) })
		var got rushgate.Numbers
		if err := packed.Parse(b, func(c *packed.Codec) { describeNumbers(c, &got, stateVersion) }); err == nil {
			t.Errorf("%v is taken", n)
		}
	}
}
