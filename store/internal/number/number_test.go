package number

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/rushgate/rushgate"
)

func TestWhatIsDividedIsJoined(t *testing.T) {
	name := rapid.OneOf(rapid.SampledFrom([]string{"hp", "xp", "level", "deaths", "hp2"}),
		rapid.StringMatching(`[a-z][a-z0-9_]{0,31}`))
	rapid.Check(t, func(t *rapid.T) {
		n := rushgate.Numbers(rapid.MapOfN(name, rapid.Int64(), 0, rushgate.MaxNumbers).Draw(t, "numbers"))
		rest := MarshalRest(n)
		got, err := Join(FourOf(n), rest)
		if err != nil || !got.Equal(n) {
			t.Fatalf("%v, written %s, is read as %v, %v", n, rest, got, err)
		}
		for name := range n {
			if v, err := In(rest, name); err != nil || !Own(name) && v != n[name] {
				t.Fatalf("%s in %s is %d, %v", name, rest, v, err)
			}
		}
	})
}

// Stored values stay readable, and are what an index of SQLite reads.
func TestWhatIsWritten(t *testing.T) {
	for _, c := range []struct {
		numbers rushgate.Numbers
		rest    string
	}{
		{nil, `{}`},
		{rushgate.Numbers{"xp": 3, "gold": 0}, `{}`},
		{rushgate.Numbers{"b": math.MinInt64, "a_1": math.MaxInt64}, `{"a_1":9223372036854775807,"b":-9223372036854775808}`},
	} {
		if got := MarshalRest(c.numbers); got != c.rest {
			t.Errorf("%v is written %s, want %s", c.numbers, got, c.rest)
		}
	}
	if got, err := Join(Four{}, ""); err != nil || len(got) != 0 {
		t.Errorf("a record from before: %v, %v", got, err)
	}
}

func TestWhatIsNoNumbers(t *testing.T) {
	for _, rest := range []string{
		`null`, `[]`, `{`, `{"a":1.5}`, `{"a":"1"}`, `{"a":9223372036854775808}`, `{"A":1}`, `{"xp":1}`, `{"":1}`, `{"a":0}`,
		`{"a": 1}`, `{"b":1,"a":1}`, `{"a":1,"a":1}`, `{"a":-0}`,
		`{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1,"k":1,"l":1,"m":1,"n":1,"o":1,"p":1,"q":1}`,
	} {
		if got, err := Join(Four{}, rest); err == nil {
			t.Errorf("%s is read as %v", rest, got)
		}
	}
}
